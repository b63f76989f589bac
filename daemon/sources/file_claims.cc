#include "daemon/sources/file_claims.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace fipd {
namespace {

bool by_floating(const Binding& a, const Binding& b) { return a.floating < b.floating; }

std::size_t size_of(const FileContent& content) { return content ? content->size() : 0; }

}  // namespace

std::string origin_of_file(const std::string& path) { return "files:" + path; }

FileChanges FileClaims::update(const std::vector<FileUpdate>& updates, const HoldRule& rule) {
  FileChanges out;
  if (!holding_) hold_base_ = in_force();
  for (const FileUpdate& update : updates) {
    const auto known = files_.find(update.path);
    if (known == files_.end() && !update.content) continue;
    const std::size_t before = known == files_.end() ? 0 : size_of(known->second.content);
    const std::size_t after = size_of(update.content);
    // What does not grow is taken, whatever the limit has become.
    if (after > before && wanted_ - before + after > limit_) {
      out.too_large.push_back(update.path);
      continue;
    }
    replace(*files_.try_emplace(update.path).first, update, out);
  }
  // What another file claims by now is no loss.
  release(out, false);
  const std::size_t missing = lost();
  holding_ = missing > 0 && (distrust_ || rule.holds(missing, hold_base_));
  if (!holding_) {
    release(out, true);
    distrust_ = false;
  }
  return out;
}

ClaimChanges FileClaims::accept() {
  ClaimChanges out;
  release(out, true);
  holding_ = false;
  distrust_ = false;
  return out;
}

// Both contents are in order: one walk over the two.
void FileClaims::replace(Files::value_type& named, const FileUpdate& update, ClaimChanges& out) {
  static const std::vector<Binding> kNone;
  File& file = named.second;
  const FileContent old = std::exchange(file.content, update.content);
  const bool newer = std::exchange(file.revision, update.revision) != update.revision;
  const std::vector<Binding>& before = old ? *old : kNone;
  const std::vector<Binding>& after = update.content ? *update.content : kNone;
  const auto middle = static_cast<std::ptrdiff_t>(file.held.size());
  std::vector<Binding> missing;

  auto was = before.begin();
  for (const Binding& is : after) {
    for (; was != before.end() && by_floating(*was, is); ++was) missing.push_back(*was);
    if (was == before.end() || by_floating(is, *was)) {
      want(named, is, out);
      continue;
    }
    // Of two files the newer wins, now as after a restart: where there are two, it counts that this
    // one was written again.
    const bool again = newer && wanted_by_.at(is.floating).files > 1;
    if (*was != is || again) out.puts.push_back(claim_of(named, is));
    ++was;
  }
  missing.insert(missing.end(), was, before.end());

  for (const Binding& binding : missing) unwant(named, binding.floating);
  wanted_ = wanted_ - before.size() + after.size();
  const auto present = [&](const Binding& held) {
    return std::binary_search(after.begin(), after.end(), held, by_floating);
  };
  file.held.erase(std::remove_if(file.held.begin(), file.held.begin() + middle, present),
                  file.held.end());
  const auto sorted = static_cast<std::ptrdiff_t>(file.held.size());
  file.held.insert(file.held.end(), missing.begin(), missing.end());
  std::inplace_merge(file.held.begin(), file.held.begin() + sorted, file.held.end(), by_floating);
}

Claim FileClaims::claim_of(const Files::value_type& file, const Binding& binding) const {
  return Claim{binding, rank_, file.second.revision, origin_of_file(file.first)};
}

// A binding that the content did not have before; it may be in force still, because it was held.
void FileClaims::want(const Files::value_type& file, const Binding& binding, ClaimChanges& out) {
  Wanted& wanted = wanted_by_[binding.floating];
  if (++wanted.files == 2) {
    // The other may have been written again while it was alone, when nobody needed to know.
    if (wanted.last != nullptr) tell(*wanted.last, binding.floating, out);
    for (const auto& other : files_) {
      if (wanted.last == nullptr && &other != &file) tell(other, binding.floating, out);
    }
  }
  wanted.last = &file;
  const std::vector<Binding>& held = file.second.held;
  const auto at = std::lower_bound(held.begin(), held.end(), binding, by_floating);
  const bool in_force = at != held.end() && *at == binding;
  if (!in_force || wanted.files > 1) out.puts.push_back(claim_of(file, binding));
}

void FileClaims::unwant(const Files::value_type& file, const IpAddress& floating) {
  const auto at = wanted_by_.find(floating);
  if (at->second.last == &file) at->second.last = nullptr;
  if (--at->second.files == 0) wanted_by_.erase(at);
}

// Says once more what the file wants for it, if it does.
void FileClaims::tell(const Files::value_type& file, const IpAddress& floating,
                      ClaimChanges& out) const {
  if (!file.second.content) return;
  Binding sought;
  sought.floating = floating;
  const std::vector<Binding>& content = *file.second.content;
  const auto at = std::lower_bound(content.begin(), content.end(), sought, by_floating);
  if (at != content.end() && at->floating == floating) out.puts.push_back(claim_of(file, *at));
}

// Carries out held removals: all, or those that are claimed by another file.
void FileClaims::release(ClaimChanges& out, bool all) {
  for (auto file = files_.begin(); file != files_.end();) {
    std::vector<Binding> kept;
    for (Binding& held : file->second.held) {
      if (all || wanted_by_.contains(held.floating)) {
        out.removals.push_back({held.floating, origin_of_file(file->first)});
      } else {
        kept.push_back(std::move(held));
      }
    }
    file->second.held = std::move(kept);
    const bool done = !file->second.content && file->second.held.empty();
    file = done ? files_.erase(file) : std::next(file);
  }
}

std::size_t FileClaims::held() const {
  std::size_t count = 0;
  for (const auto& [path, file] : files_) count += file.held.size();
  return count;
}

// Distinct floating IPs that are in force only because they are held.
std::size_t FileClaims::lost() const {
  std::unordered_set<IpAddress, AddressHash> missing;
  for (const auto& [path, file] : files_) {
    for (const Binding& binding : file.held) {
      if (!wanted_by_.contains(binding.floating)) missing.insert(binding.floating);
    }
  }
  return missing.size();
}

std::size_t FileClaims::in_force() const { return wanted_by_.size() + lost(); }

}  // namespace fipd
