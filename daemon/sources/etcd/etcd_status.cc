#include "daemon/sources/etcd/etcd_status.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/chrono.h>

#include "daemon/sources/etcd/etcd_binding.h"

namespace fipd {
namespace {

namespace asio = boost::asio;

constexpr std::string_view kOrigin = "etcd:";
constexpr std::size_t kSlice = 500;  // addresses looked at before others may run

std::string utc(std::chrono::system_clock::time_point time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

}  // namespace

std::string status_value(const FloatingIpReport& row) {
  boost::json::object value;
  value["floating"] = row.binding.floating.to_string();
  value["state"] = to_string(row.state);
  value["reason"] = row.reason;
  value["announced"] = row.announced.size();
  value["sessions"] = row.sessions.size();
  return boost::json::serialize(value);
}

std::string agent_value(const StatusReport& status) {
  boost::json::object counts;
  for (std::size_t i = 0; i < kStates; ++i) {
    if (status.counts[i] != 0) counts[to_string(static_cast<State>(i))] = status.counts[i];
  }
  const auto up = std::count_if(
      status.bird.sessions.begin(), status.bird.sessions.end(),
      [](const SessionReport& session) { return session.info.starts_with("Established"); });
  boost::json::object value;
  value["version"] = status.version;
  value["host"] = status.host;
  value["started"] = utc(status.started);
  value["bird"] = status.bird.enabled;
  value["sessions"] = up;
  value["floating_ips"] = std::move(counts);
  return boost::json::serialize(value);
}

EtcdStatus::EtcdStatus(asio::any_io_executor executor, std::unique_ptr<EtcdClient> client,
                       EtcdStatusOptions options, Service& service, EventHub& events)
    : executor_(std::move(executor)),
      client_(std::move(client)),
      options_(std::move(options)),
      service_(service),
      fip_prefix_(fmt::format("{}status/{}/fip/", options_.prefix, escaped(options_.host))),
      agent_key_(fmt::format("{}status/{}/agent", options_.prefix, escaped(options_.host))) {
  // Many at once are told as one number: then all are compared.
  subscription_ = events.subscribe([this](const Event& event) {
    if (event.floating) {
      marked_.insert(*event.floating);
    } else {
      everything_due_ = Clock::now();
    }
  });
}

asio::awaitable<void> EtcdStatus::run() {
  asio::steady_timer timer(executor_);
  for (;;) {
    const Outcome done = co_await round();
    problem_ = done ? std::string() : "status is not written: " + done.error().message();
    timer.expires_after(done ? options_.coalesce : options_.retry);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<Outcome> EtcdStatus::round() {
  Outcome done = co_await hold_lease();
  if (!done) co_return done;
  Steps steps = co_await differences();
  done = co_await write(std::move(steps));
  if (!done) co_return done;
  co_return co_await write_agent();
}

// Kept alive at a third of its time. A failure to reach etcd does not end it: etcd does, in its
// own time.
asio::awaitable<Outcome> EtcdStatus::hold_lease() {
  if (std::exchange(anew_, false)) lease_ = 0;
  if (lease_ != 0 && Clock::now() < lease_due_) co_return success();
  Result<EtcdLease> lease = fail(ErrorCode::kInternal, "not asked");
  if (lease_ != 0) {
    lease = co_await client_->keep_alive(lease_);
    if (lease && lease->seconds <= 0) lease_ = 0;
  }
  if (lease_ == 0) {
    lease = co_await client_->grant(options_.lease);
    if (lease) {
      lease_ = lease->id;
      written_.clear();
      keys_.clear();
      agent_.clear();
      everything_due_ = Clock::now();
    }
  }
  if (!lease) co_return fail(std::move(lease).error());
  lease_due_ = Clock::now() + std::chrono::seconds(options_.lease) / 3;
  co_return success();
}

asio::awaitable<EtcdStatus::Steps> EtcdStatus::differences() {
  std::vector<IpAddress> floatings;
  if (Clock::now() >= everything_due_) {
    everything_due_ = Clock::now() + options_.everything;
    floatings = co_await service_.addresses();
    const AddressHashSet known(floatings.begin(), floatings.end());
    std::erase_if(keys_, [](const auto& each) { return each.second.empty(); });
    for (const auto& [floating, keys] : keys_) {
      if (!known.contains(floating)) floatings.push_back(floating);
    }
    marked_.clear();
  } else {
    floatings.assign(marked_.begin(), marked_.end());
    marked_.clear();
  }
  Steps steps;
  std::size_t done = 0;
  for (const IpAddress& floating : floatings) {
    compare(floating, steps);
    if (++done % kSlice == 0) co_await asio::post(executor_, asio::use_awaitable);
  }
  co_return steps;
}

void EtcdStatus::compare(const IpAddress& floating, Steps& out) {
  Values wanted;
  for (const FloatingIpReport& row : service_.rows(floating)) {
    // An id has one key: what is in force speaks for it, perhaps under another floating IP.
    if (!row.source.starts_with(kOrigin) || row.earlier_in_force) continue;
    wanted[fip_prefix_ + row.source.substr(kOrigin.size())] = status_value(row);
  }
  const auto at = keys_.find(floating);
  const Keys before = at == keys_.end() ? Keys() : at->second;
  for (auto& [key, value] : wanted) {
    const auto written = written_.find(key);
    if (written != written_.end() && written->second == Written{value, floating}) continue;
    out[key] = Written{std::move(value), floating};
  }
  for (const std::string& key : before) {
    if (wanted.contains(key)) continue;
    // An id that has another floating IP by now keeps its key, which is that one's.
    const auto written = written_.find(key);
    const bool ours = written != written_.end() && written->second.floating == floating;
    if (ours && !out.contains(key)) out[key] = Written{std::nullopt, floating};
    if (!ours) keys_[floating].erase(key);
  }
}

void EtcdStatus::note_written(const std::string& key, const Written& step) {
  const auto before = written_.find(key);
  if (before != written_.end()) keys_[before->second.floating].erase(key);
  if (step.value) {
    written_[key] = step;
    keys_[step.floating].insert(key);
  } else {
    written_.erase(key);
  }
}

asio::awaitable<Outcome> EtcdStatus::write(Steps steps) {
  while (!steps.empty()) {
    std::vector<EtcdWrite> writes;
    auto end = steps.begin();
    for (; end != steps.end() && writes.size() < kMostInTransaction; ++end) {
      writes.push_back(EtcdWrite{end->first, end->second.value});
    }
    Outcome written = co_await client_->write(std::move(writes), lease_);
    if (!written) {
      for (const auto& [key, step] : steps) marked_.insert(step.floating);
      // The lease may have run out while etcd was away.
      lease_due_ = Clock::now();
      co_return written;
    }
    for (auto at = steps.begin(); at != end; ++at) note_written(at->first, at->second);
    steps.erase(steps.begin(), end);
  }
  co_return success();
}

asio::awaitable<Outcome> EtcdStatus::write_agent() {
  if (Clock::now() < agent_due_) co_return success();
  std::string value = agent_value(service_.status());
  if (value == agent_) co_return success();
  std::vector<EtcdWrite> writes{EtcdWrite{agent_key_, value}};
  Outcome written = co_await client_->write(std::move(writes), lease_);
  if (!written) co_return written;
  agent_ = std::move(value);
  agent_due_ = Clock::now() + options_.agent;
  co_return success();
}

}  // namespace fipd
