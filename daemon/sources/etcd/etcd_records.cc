#include "daemon/sources/etcd/etcd_records.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "daemon/state/binding_draft.h"
#include "daemon/state/document.h"
#include "daemon/state/suggestion.h"

namespace fipd {
namespace {

namespace json = boost::json;

constexpr std::size_t kLongestValue = 256 << 10;
constexpr std::size_t kMostProblems = 20;

Result<std::string> text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return std::string();
  const json::string* text = value->if_string();
  if (text == nullptr) return fail(ErrorCode::kBadInput, "{} is no string", name);
  return std::string(*text);
}

Result<EtcdRecord::Role> role_of(const json::object& object) {
  const Result<std::string> role = text_of(object, "role");
  if (!role) return fail(role.error());
  if (role->empty() || *role == "source") return EtcdRecord::Role::kServing;
  if (*role == "target") return EtcdRecord::Role::kTarget;
  if (*role == "leaving") return EtcdRecord::Role::kLeaving;
  return fail(ErrorCode::kBadInput, "the role '{}' is not known to this version of fipd",
              printable(*role));
}

}  // namespace

Result<EtcdRecord> record_of(std::string_view text) {
  if (text.size() > kLongestValue) {
    return fail(ErrorCode::kLimit, "{} bytes are more than the {} of a value", text.size(),
                kLongestValue);
  }
  boost::system::error_code problem;
  const json::value value = json::parse({text.data(), text.size()}, problem);
  if (problem) return fail(ErrorCode::kBadInput, "not JSON: {}", problem.message());
  const json::object* object = value.if_object();
  if (object == nullptr) return fail(ErrorCode::kBadInput, "no JSON object");
  EtcdRecord record;
  const Result<EtcdRecord::Role> role = role_of(*object);
  if (!role) return fail(role.error());
  record.role = *role;
  Result<std::string> peer = text_of(*object, "peer");
  if (!peer) return fail(std::move(peer).error());
  record.peer = printable(*peer);
  json::object known;
  for (const auto& member : *object) {
    if (is_binding_key(member.key())) known[member.key()] = member.value();
  }
  Result<Binding> binding = binding_from_json(std::move(known), "value");
  if (!binding) return fail(std::move(binding).error());
  record.binding = std::move(*binding);
  return record;
}

std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

// One an id, so that two ids with the same floating IP are two claims, and the newer one wins.
std::string EtcdRecords::origin_of(std::string_view key) const {
  return fmt::format("etcd:{}", printable(key.substr(std::min(prefix_.size(), key.size()))));
}

void EtcdRecords::put(const EtcdPair& pair, ClaimChanges& out) {
  held_.erase(pair.key);
  const auto at = records_.find(pair.key);
  // Written again as it was: nobody need look.
  if (at != records_.end() && at->second.value == pair.value) {
    bad_.erase(pair.key);
    return;
  }
  Result<EtcdRecord> record = record_of(pair.value);
  if (!record) {
    bad_[pair.key] = record.error().message();
    return;
  }
  if (at == records_.end() && records_.size() >= limit_) {
    bad_[pair.key] = fmt::format("there are {} already: raise limits.floating_ips", limit_);
    return;
  }
  bad_.erase(pair.key);
  const std::string origin = origin_of(pair.key);
  if (at != records_.end() && at->second.record.binding.floating != record->binding.floating) {
    out.removals.push_back({at->second.record.binding.floating, origin});
  }
  out.puts.push_back(
      Claim{record->binding, rank_, static_cast<std::uint64_t>(pair.revision), origin});
  records_[pair.key] = Known{std::move(*record), pair.value, pair.revision};
}

void EtcdRecords::remove(const std::string& key, ClaimChanges& out) {
  bad_.erase(key);
  held_.erase(key);
  const auto at = records_.find(key);
  if (at == records_.end()) return;
  out.removals.push_back({at->second.record.binding.floating, origin_of(key)});
  records_.erase(at);
}

ClaimChanges EtcdRecords::load(std::vector<EtcdPair> pairs, bool trusted, const HoldRule& rule) {
  ClaimChanges out;
  std::unordered_set<std::string_view> present;
  present.reserve(pairs.size());
  for (const EtcdPair& pair : pairs) present.insert(pair.key);
  std::set<std::string, std::less<>> missing;
  for (const auto& [key, known] : records_) {
    if (!present.contains(key)) missing.insert(key);
  }
  const std::size_t before = records_.size();
  std::erase_if(bad_, [&](const auto& each) { return !present.contains(each.first); });
  for (const EtcdPair& pair : pairs) put(pair, out);
  held_ = std::move(missing);
  if (trusted && !rule.holds(held_.size(), before)) {
    ClaimChanges gone = accept();
    out.removals.insert(out.removals.end(), gone.removals.begin(), gone.removals.end());
  }
  return out;
}

ClaimChanges EtcdRecords::apply(const EtcdEvent& event) {
  ClaimChanges out;
  if (event.removed) {
    remove(event.pair.key, out);
  } else {
    put(event.pair, out);
  }
  return out;
}

ClaimChanges EtcdRecords::accept() {
  ClaimChanges out;
  const auto gone = std::exchange(held_, {});
  for (const std::string& key : gone) remove(key, out);
  return out;
}

std::vector<std::string> EtcdRecords::problems() const {
  std::vector<std::string> all;
  for (const auto& [key, problem] : bad_) {
    if (all.size() == kMostProblems) break;
    all.push_back(
        fmt::format("{}: {}{}", printable(key), problem,
                    records_.contains(key) ? " (what it said before stays in force)" : ""));
  }
  return all;
}

std::vector<EtcdPair> EtcdRecords::pairs() const {
  std::vector<EtcdPair> all;
  all.reserve(records_.size());
  for (const auto& [key, known] : records_) all.push_back({key, known.value, known.revision});
  return all;
}

const EtcdRecord* EtcdRecords::find(std::string_view key) const {
  const auto at = records_.find(key);
  return at == records_.end() ? nullptr : &at->second.record;
}

}  // namespace fipd
