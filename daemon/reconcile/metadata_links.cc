#include "daemon/reconcile/metadata_links.h"

#include <algorithm>

#include <spdlog/spdlog.h>

namespace fipd {
namespace {

const IpAddress& metadata_address6() {
  static const IpAddress kAddress = boost::asio::ip::make_address_v6("fe80::a9fe:a9fe");
  return kAddress;
}

}  // namespace

void MetadataLinks::configure(const nat::MetadataOptions& options, const Host& host) {
  if (options == options_) return;
  options_ = options;
  told_ = false;
  links_read(host);
}

void MetadataLinks::links_read(const Host& host) {
  links_.clear();
  if (options_.listen.empty()) return;
  host.for_each_link([this](const bgp::Link& link) { link_changed(link); });
}

void MetadataLinks::link_changed(const bgp::Link& link) {
  if (options_.listen.empty()) return;
  if (!matches(link.name)) {
    links_.erase(link.index);
    return;
  }
  const auto [at, fresh] = links_.try_emplace(link.index);
  at->second.name = link.name;
  // One that could not be set is tried again with each event of its.
  if (fresh || !at->second.problem.empty()) prepare(link.index, at->second);
}

void MetadataLinks::link_removed(unsigned index) { links_.erase(index); }

void MetadataLinks::prepare(unsigned index, Watched& watched) {
  watched.problem.clear();
  if (!needs_localnet() || settings_ == nullptr) return;
  const Result<bool> set = settings_->routes_localnet(index);
  if (set && *set) return;
  const Outcome done = set ? settings_->route_localnet(index) : Outcome(fail(set.error()));
  if (!done) {
    if (done.error().code() == ErrorCode::kNotFound) return;  // gone again: its event follows
    watched.problem = done.error().message();
    spdlog::warn("interface {}: {}", watched.name, watched.problem);
  } else if (!std::exchange(told_, true)) {
    spdlog::info(
        "route_localnet is set on the interfaces of [metadata] ({} first): the metadata service "
        "listens on {}, a loopback address",
        watched.name, listener(true)->address);
  }
}

std::vector<std::string> MetadataLinks::warnings(const Host& host) const {
  std::vector<std::string> out;
  if (needs_localnet()) {
    out.push_back(fmt::format(
        "metadata.listen is {}, a loopback address: route_localnet is set on the {} interface(s) "
        "of metadata.interfaces; only the metadata service is open to them, by fipd's rules",
        listener(true)->address, links_.size()));
    const auto bad = std::find_if(links_.begin(), links_.end(),
                                  [](const auto& each) { return !each.second.problem.empty(); });
    if (bad != links_.end()) {
      out.push_back(fmt::format(
          "the metadata service cannot be reached from {}: {}: set net.ipv4.conf.{}.route_localnet "
          "to 1, or let metadata.listen be no loopback address",
          bad->second.name, bad->second.problem, bad->second.name));
    }
  }
  if (listener(false) == nullptr) return out;
  const auto lacks = [&](const auto& each) { return !host.owns(metadata_address6(), each.first); };
  const auto without = std::count_if(links_.begin(), links_.end(), lacks);
  if (without == 0) return out;
  const std::string& first = std::find_if(links_.begin(), links_.end(), lacks)->second.name;
  out.push_back(fmt::format(
      "{} interface(s) of metadata.interfaces have no address {}, so nobody answers instances that "
      "look for it: ip address add {}/128 dev {}",
      without, metadata_address6(), metadata_address6(), first));
  return out;
}

bool MetadataLinks::matches(const std::string& name) const {
  return std::any_of(options_.interfaces.begin(), options_.interfaces.end(),
                     [&](const std::string& pattern) {
                       if (!pattern.ends_with('*')) return pattern == name;
                       return name.starts_with(pattern.substr(0, pattern.size() - 1));
                     });
}

const nat::Endpoint* MetadataLinks::listener(bool v4) const {
  const auto at =
      std::find_if(options_.listen.begin(), options_.listen.end(),
                   [v4](const nat::Endpoint& each) { return each.address.is_v4() == v4; });
  return at == options_.listen.end() ? nullptr : &*at;
}

bool MetadataLinks::needs_localnet() const {
  const nat::Endpoint* target = listener(true);
  return target != nullptr && target->address.is_loopback();
}

}  // namespace fipd
