#include "daemon/exports.h"

#include <algorithm>

namespace fipd {

std::size_t Exports::session(const std::string& name) {
  const auto at = std::find(names_.begin(), names_.end(), name);
  if (at != names_.end()) return static_cast<std::size_t>(at - names_.begin());
  if (names_.size() < kMostSessions) names_.push_back(name);
  return names_.size() - 1;
}

void Exports::add(std::size_t session, const IpAddress& address) {
  auto bit = having_[address][session];
  if (!bit) ++had_[session];
  bit = true;
}

void Exports::forget(const IpAddress& address) {
  const auto at = having_.find(address);
  if (at == having_.end()) return;
  for (std::size_t i = 0; i < names_.size(); ++i) had_[i] -= at->second.test(i) ? 1 : 0;
  having_.erase(at);
}

std::size_t Exports::count(const IpAddress& address) const {
  const auto at = having_.find(address);
  return at == having_.end() ? 0 : at->second.count();
}

std::size_t Exports::had_by(const std::string& session) const {
  const auto at = std::find(names_.begin(), names_.end(), session);
  return at == names_.end() ? 0 : had_[static_cast<std::size_t>(at - names_.begin())];
}

void Exports::set(const IpAddress& address, const std::vector<std::string>& sessions) {
  forget(address);
  for (const std::string& name : sessions) add(session(name), address);
}

void Exports::keep(const std::function<bool(const std::string&)>& stays) {
  Sessions kept;
  for (std::size_t i = 0; i < names_.size(); ++i) kept.set(i, stays(names_[i]));
  if (kept.count() == names_.size()) return;
  if (kept.none()) return clear();
  for (std::size_t i = 0; i < names_.size(); ++i) had_[i] = kept.test(i) ? had_[i] : 0;
  boost::unordered::erase_if(having_, [&kept](auto& entry) {
    entry.second &= kept;
    return entry.second.none();
  });
}

void Exports::clear() {
  names_.clear();
  had_.fill(0);
  having_.clear();
}

std::vector<std::string> Exports::having(const IpAddress& address) const {
  std::vector<std::string> names;
  const auto at = having_.find(address);
  if (at == having_.end()) return names;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (at->second.test(i)) names.push_back(names_[i]);
  }
  return names;
}

}  // namespace fipd
