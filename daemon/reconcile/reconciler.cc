#include "daemon/reconcile/reconciler.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/base/process.h"
#include "daemon/reconcile/backoff.h"

namespace fipd {

Reconciler::Reconciler(boost::asio::any_io_executor executor, KernelParts kernel,
                       ReconcileRules rules, EventHub& events)
    : executor_(executor),
      kernel_(kernel),
      rules_(std::move(rules)),
      events_(events),
      metadata_(kernel.links),
      work_(executor),
      passed_(executor),
      alarms_(executor, [this](const IpAddress& floating) { mark(floating); }),
      flush_(executor) {
  steering_.configure(rules_.steering);
}

Outcome Reconciler::start() {
  first_mark_ = Clock::now();  // the first pass begins with reading the kernel
  Outcome read = read_host();
  if (read) metadata_.configure(rules_.ruleset.metadata, host_);
  return read;
}

boost::asio::awaitable<void> Reconciler::run() {
  for (;;) {
    if (batch_depth_ > 0 || !has_work()) {
      if (Clock::now() >= next_look()) {
        co_await look_at_neighbours();
      } else {
        co_await work_.wait(next_look());
      }
      continue;
    }
    reading_ = true;
    bool known = true;
    if (suspicious()) known = co_await read_what_is_suspect();
    reading_ = false;
    // What could not be read cannot be compared, and nobody who waits may be promised anything.
    if (known && batch_depth_ == 0) co_await pass();
    passed_.notify_all();
  }
}

// What led there, was taken away and has come back, while a flush took its time: its connections go
// where they should, the new ones among them.
bool Reconciler::is_in_force(const nat::Translation& translation) const {
  if (translation.others) return false;
  if (translation.protocol == 0) {
    return nat_.find(nat::Map::kFixedByFloating, translation.floating) == translation.fixed;
  }
  const PortForward forward{
      translation.protocol, translation.port, {translation.fixed, translation.fixed_port}};
  const PortForwards& all = nat_.forwards(translation.floating);
  return std::find(all.begin(), all.end(), forward) != all.end();
}

boost::asio::awaitable<void> Reconciler::run_flushes() {
  for (unsigned failures = 0;;) {
    std::erase_if(to_flush_, [&](const nat::Translation& each) { return is_in_force(each); });
    if (to_flush_.empty()) {
      co_await flush_.wait();
      continue;
    }
    const auto gone =
        std::make_shared<const std::vector<nat::Translation>>(std::exchange(to_flush_, {}));
    auto work = [gone, &table = kernel_.connections] { return table.flush(*gone); };
    const Result<std::size_t> flushed = co_await flush_thread_.run(std::move(work));
    if (flushed) {
      counters_.connections_flushed += *flushed;
      flush_problem_.clear();
      failures = 0;
      continue;
    }
    // They lead to whoever had the address before: not given up.
    to_flush_.insert(to_flush_.begin(), gone->begin(), gone->end());
    note_flush_problem(flushed.error());
    co_await pause(backoff(failures++));
  }
}

void Reconciler::note_flush_problem(const Error& error) {
  std::string text = "connections of removed floating IPs live on: " + error.message();
  if (text == flush_problem_) return;
  flush_problem_ = std::move(text);
  spdlog::error("{}", flush_problem_);
}

// The pass whose end answers what is marked now: the next one, also for what is being read for it.
std::uint64_t Reconciler::next_answer() const {
  return has_work() || reading_ ? started_ + 1 : started_;
}

boost::asio::awaitable<bool> Reconciler::settled(Signal::Clock::time_point deadline) {
  // What became suspect during a reading may have been read already: then the next pass knows
  // nothing of it, and another reading follows.
  const bool read_too_early = reading_ && suspicious();
  std::uint64_t wanted = next_answer();
  while (done_ < wanted && Clock::now() < deadline) co_await passed_.wait(deadline);
  if (read_too_early && done_ >= wanted) {
    wanted = next_answer();
    while (done_ < wanted && Clock::now() < deadline) co_await passed_.wait(deadline);
  }
  co_return done_ >= wanted;
}

void Reconciler::configure(ReconcileRules rules) {
  if (rules.ruleset != rules_.ruleset) suspect_nat("");
  rules_ = std::move(rules);
  metadata_.configure(rules_.ruleset.metadata, host_);
  steering_.configure(rules_.steering);
  mark_all();
}

void Reconciler::release(const IpAddress& floating) {
  const auto at = withdrawing_.find(floating);
  if (at == withdrawing_.end()) return;
  at->second.released = true;
  mark(floating);
}

std::optional<Target> Reconciler::translated_to(const IpAddress& floating) const {
  if (!nat_.translates(floating)) return std::nullopt;
  const auto fixed = nat_.find(nat::Map::kFixedByFloating, floating);
  return Target{fixed.value_or(IpAddress()), nat_.forwards_in_ranges(floating)};
}

nat::RulesetOptions Reconciler::ruleset() const {
  nat::RulesetOptions options = rules_.ruleset;
  options.forwards |= forwards_needed_;
  options.limits |= limits_needed_;
  return options;
}

PlanRules Reconciler::plan_rules() const {
  return {rules_.ruleset.snat, rules_.ruleset.accounting, rules_.keep_connections_on_remove,
          traffic_readings_};
}

void Reconciler::note_traffic(KnownNat::Reading reading) {
  traffic_ = std::move(reading);
  ++traffic_readings_;
}

std::vector<std::string> Reconciler::problems() const {
  std::vector<std::string> all;
  if (!kernel_problem_.empty()) all.push_back(kernel_problem_);
  if (!flush_problem_.empty()) all.push_back(flush_problem_);
  if (!strangers_.empty()) {
    const bgp::StrangerRoute& first = strangers_.front();
    all.push_back(
        fmt::format("{} route(s) of others in our routing table, which BIRD may prefer: {} metric "
                    "{} proto {}{}",
                    strangers_.size(), first.destination, first.metric, first.protocol,
                    strangers_.size() > 1 ? ", ..." : ""));
  }
  if (!complete() && !adopted_.empty()) {
    all.push_back(
        fmt::format("{} floating IP(s) of an earlier run are kept until every source has "
                    "given its first snapshot",
                    adopted_.size()));
  }
  return all;
}

// The first reason for the next pass: from here on its changes are said to have taken.
void Reconciler::expect_work() {
  if (has_work()) return;
  first_mark_ = Clock::now();
  if (batch_depth_ == 0) work_.notify_all();
}

void Reconciler::mark(const IpAddress& floating) {
  expect_work();
  marked_.insert(floating);
}

void Reconciler::mark(const AddressSet* floatings) {
  if (floatings != nullptr) floatings->for_each([this](const IpAddress& each) { mark(each); });
}

void Reconciler::mark_all() {
  expect_work();
  all_marked_ = true;
}

bool Reconciler::suspicious() const {
  return host_suspect_ || nat_suspect_ || routes_suspect_ || !interfaces_suspect_.empty() ||
         !lost_.empty();
}

bool Reconciler::has_work() const { return !marked_.empty() || all_marked_ || suspicious(); }

void Reconciler::suspect_nat(std::string culprit) {
  expect_work();
  nat_suspect_ = true;
  if (nat_culprit_.empty()) nat_culprit_ = std::move(culprit);
}

void Reconciler::suspect_routes(std::string culprit) {
  expect_work();
  routes_suspect_ = true;
  if (routes_culprit_.empty()) routes_culprit_ = std::move(culprit);
}

void Reconciler::suspect_interface(unsigned interface) {
  expect_work();
  interfaces_suspect_.push_back(interface);
}

// Served from now on, after it was only prepared: the routers are to come here at once.
void Reconciler::note_role(const Claim& claim) {
  if (claim.role == Claim::Role::kTarget) return;
  const IpAddress& floating = claim.binding.floating;
  steering_.forget_arrival(floating);
  const Claim* before = bindings_.claim(floating, claim.origin);
  const bool prepared = before != nullptr && before->role == Claim::Role::kTarget;
  if (!prepared || claim.role != Claim::Role::kServing) return;
  const auto until = steering_.activated(floating, claim.binding.extras->shared, Clock::now());
  if (until) alarms_.set(*until, floating);
}

void Reconciler::put(Claim claim) {
  const IpAddress floating = claim.binding.floating;
  // What a source said in its first snapshot was here before.
  if (complete() && bindings_.winner(floating) == nullptr) steering_.bound_anew(floating);
  note_role(claim);
  adopted_.erase(floating);
  failures_.erase(floating);
  bindings_.put(std::move(claim));
  mark(floating);
  // Whoever has this address for its fixed IP is refused from now on.
  mark(bindings_.with_fixed(floating));
}

void Reconciler::remove(const IpAddress& floating, std::string_view origin) {
  adopted_.erase(floating);
  failures_.erase(floating);
  bindings_.remove(floating, origin);
  if (bindings_.winner(floating) == nullptr) steering_.gone(floating);
  mark(floating);
  mark(bindings_.with_fixed(floating));
}

void Reconciler::set_complete(unsigned rank) {
  if (std::find(complete_.begin(), complete_.end(), rank) != complete_.end()) return;
  complete_.push_back(rank);
  if (!complete()) return;
  if (!adopted_.empty()) spdlog::info("removing {} orphan(s) of an earlier run", adopted_.size());
  for (const IpAddress& orphan : adopted_) mark(orphan);
  adopted_.clear();
}

void Reconciler::begin_batch() { ++batch_depth_; }

void Reconciler::end_batch() {
  if (--batch_depth_ == 0) work_.notify_all();
}

}  // namespace fipd
