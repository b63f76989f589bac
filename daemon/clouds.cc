// How the sources that read etcd are put together.
#include <algorithm>
#include <utility>

#include "daemon/daemon.h"
#include "daemon/sources/etcd/calico_endpoint.h"
#include "daemon/sources/etcd/etcd_binding.h"

namespace fipd {
namespace {

// [calico] without endpoints of its own reads the etcd of [etcd].
template <typename Section>
void set_login(EtcdOptions& client, const Section& section) {
  client.endpoints = section.endpoints;
  client.ca = section.ca;
  client.certificate = section.certificate;
  client.key = section.key;
  client.user = section.user;
  client.password = section.password;
}

}  // namespace

unsigned Daemon::rank_of(std::string_view source) const {
  const auto& order = at_start_.sources.order;
  const auto at = std::find(order.begin(), order.end(), source);
  return static_cast<unsigned>(at - order.begin());
}

EtcdSourceOptions Daemon::etcd_of(EtcdKeys keys) const {
  EtcdSourceOptions options;
  set_login(options.client, at_start_.etcd);
  options.client.timeout = at_start_.etcd.timeout;
  // Beside the store, which has its own lock.
  options.snapshot = at_start_.store.path;
  options.snapshot += "-" + keys.source;
  options.rank = rank_of(keys.source);
  options.hold = {config_.sources.hold_share, config_.sources.hold_above};
  options.max = config_.limits.floating_ips;
  options.probe = at_start_.etcd.probe;
  options.keys = std::move(keys);
  return options;
}

Outcome Daemon::open_etcd() {
  const std::string& host = at_start_.host.name;
  const EtcdSourceOptions source = etcd_of(fipd_keys(at_start_.etcd.prefix, host));
  auto made =
      EtcdSource::make(context_.get_executor(), parsing_, disk_, source, *reconciler_, events_);
  if (!made) return fail(std::move(made).error());
  etcd_ = std::move(*made);
  etcd_->load();
  auto client = EtcdClient::make(context_.get_executor(), source.client);
  if (!client) return fail(std::move(client).error());
  EtcdStatusOptions status;
  status.prefix = at_start_.etcd.prefix;
  status.host = host;
  etcd_status_ = std::make_unique<EtcdStatus>(context_.get_executor(), std::move(*client),
                                              std::move(status), *this, events_);
  etcd_->on_restored([this] { etcd_status_->begin_anew(); });
  return success();
}

Outcome Daemon::open_calico() {
  EtcdSourceOptions options = etcd_of(calico_keys(at_start_.calico.region, at_start_.host.name));
  if (!at_start_.calico.endpoints.empty()) set_login(options.client, at_start_.calico);
  options.settle = at_start_.calico.settle;
  auto made = EtcdSource::make(context_.get_executor(), parsing_, disk_, std::move(options),
                               *reconciler_, events_);
  if (!made) return fail(std::move(made).error());
  calico_ = std::move(*made);
  calico_->load();
  return success();
}

}  // namespace fipd
