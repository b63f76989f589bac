#include "daemon/sources/file_claims.h"

#include <algorithm>
#include <unordered_set>

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
    replace(update.path, files_[update.path], update, out);
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
void FileClaims::replace(const std::string& path, File& file, const FileUpdate& update,
                         ClaimChanges& out) {
  static const std::vector<Binding> kNone;
  const FileContent old = std::move(file.content);
  const std::vector<Binding>& before = old ? *old : kNone;
  const std::vector<Binding>& after = update.content ? *update.content : kNone;
  const auto middle = static_cast<std::ptrdiff_t>(file.held.size());
  std::vector<Binding> missing;

  auto was = before.begin();
  for (const Binding& is : after) {
    for (; was != before.end() && by_floating(*was, is); ++was) missing.push_back(*was);
    if (was == before.end() || by_floating(is, *was)) {
      want(path, file, is, update.revision, out);
      continue;
    }
    if (*was != is) out.puts.push_back(Claim{is, rank_, update.revision, origin_of_file(path)});
    ++was;
  }
  missing.insert(missing.end(), was, before.end());

  for (const Binding& binding : missing) {
    const auto count = wanted_by_.find(binding.floating);
    if (--count->second == 0) wanted_by_.erase(count);
  }
  wanted_ = wanted_ - before.size() + after.size();
  const auto present = [&](const Binding& held) {
    return std::binary_search(after.begin(), after.end(), held, by_floating);
  };
  file.held.erase(std::remove_if(file.held.begin(), file.held.begin() + middle, present),
                  file.held.end());
  const auto sorted = static_cast<std::ptrdiff_t>(file.held.size());
  file.held.insert(file.held.end(), missing.begin(), missing.end());
  std::inplace_merge(file.held.begin(), file.held.begin() + sorted, file.held.end(), by_floating);
  file.content = update.content;
}

// A binding that the content did not have before; it may be in force still, because it was held.
void FileClaims::want(const std::string& path, File& file, const Binding& binding,
                      std::uint64_t revision, ClaimChanges& out) {
  ++wanted_by_[binding.floating];
  const auto held = std::lower_bound(file.held.begin(), file.held.end(), binding, by_floating);
  const bool in_force = held != file.held.end() && *held == binding;
  if (!in_force) out.puts.push_back(Claim{binding, rank_, revision, origin_of_file(path)});
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
