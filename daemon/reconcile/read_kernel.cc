// Reading the kernel: at the start, when somebody else wrote, after lost events and refusals.
#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/reconcile/backoff.h"
#include "daemon/reconcile/reconciler.h"

namespace fipd {
namespace {

struct NatReading {
  std::string repaired;
  KnownNat known;
};

// What was counted until now.
struct Accounts {
  const KnownNat& before;
  KnownNat::Reading last;
  unsigned number;
};

struct RouteReading {
  KnownRoutes known;
  std::vector<IpAddress> vanished;
  std::vector<bgp::StrangerRoute> strangers;
};

Result<NatReading> read(nat::NatTable& table, const nat::RulesetOptions& options,
                        const Accounts& accounts) {
  auto repaired = table.ensure_ruleset(options);
  if (!repaired) return fail(std::move(repaired).error().within("nftables rules"));
  const auto dump = table.dump();
  if (!dump) return fail(Error(dump.error()).within("nftables maps"));
  NatReading reading{std::move(*repaired), KnownNat(*dump)};
  reading.known.inherit_accounts(accounts.before, accounts.last, accounts.number);
  return reading;
}

Result<RouteReading> read(bgp::RouteTable& table, const KnownRoutes& before) {
  auto dump = table.dump();
  if (!dump) return fail(std::move(dump).error().within("routing table"));
  RouteReading reading{KnownRoutes(dump->own), {}, std::move(dump->strangers)};
  before.for_each_destination([&](const IpAddress& each) {
    if (reading.known.find(each) == nullptr) reading.vanished.push_back(each);
  });
  return reading;
}

}  // namespace

Outcome Reconciler::read_host() {
  auto links = kernel_.network.links();
  if (!links) return fail(std::move(links).error());
  auto addresses = kernel_.network.addresses();
  if (!addresses) return fail(std::move(addresses).error());
  host_.clear();
  for (const bgp::Link& link : *links) host_.put(link);
  for (const bgp::LocalAddress& address : *addresses) host_.put(address);
  read_forwarding();
  return {};
}

// For warnings only: nothing else waits for it.
void Reconciler::read_forwarding() {
  const auto settings = kernel_.network.forwarding();
  if (settings) {
    forwarding_.read(*settings);
  } else {
    spdlog::warn("whether the host forwards is not known: {}", settings.error().message());
  }
}

bool Reconciler::read_host_again() {
  const Outcome read = read_host();
  host_suspect_ = !read;
  if (read) {
    metadata_.links_read(host_);
  } else {
    note_kernel_problem("cannot read the host's links: " + read.error().message());
  }
  return read.has_value();
}

boost::asio::awaitable<bool> Reconciler::read_what_is_suspect() {
  bool read = !host_suspect_ || read_host_again();
  if (read && nat_suspect_) read = co_await read_nat();
  if (read && routes_suspect_) read = co_await read_routes();
  if (read) {
    for (const unsigned interface : std::exchange(interfaces_suspect_, {})) {
      read_interface(interface);
    }
    for (const auto& [destination, metric] : std::exchange(lost_, {})) {
      // Should it have come back meanwhile, the kernel says so when it is added, and all is read.
      forget_route(destination, metric);
    }
    reads_failed_in_a_row_ = 0;
    if (!nat_suspect_ && !routes_suspect_ && !host_suspect_) kernel_problem_.clear();
    if (!adopted_once_) {
      inherit();
      adopt();
    }
    adopted_once_ = true;
    co_return true;
  }
  // Nothing is withdrawn because we cannot look; but nothing new can be promised either.
  reads_failed_in_a_row_ = std::min(reads_failed_in_a_row_ + 1, 6U);
  co_await pause(backoff(reads_failed_in_a_row_));
  co_return false;
}

void Reconciler::note_kernel_problem(std::string text) {
  if (text == kernel_problem_) return;
  kernel_problem_ = std::move(text);
  spdlog::error("{}", kernel_problem_);
}

// Left by an earlier run, unless somebody has spoken for it already.
void Reconciler::adopt() {
  if (complete()) return;
  const auto note = [this](const IpAddress& floating) {
    if (bindings_.winner(floating) == nullptr) adopted_.insert(floating);
  };
  nat_.for_each_floating([&](const IpAddress& floating) {
    if (nat_.translates(floating)) note(floating);
  });
  routes_.for_each_destination(note);
}

boost::asio::awaitable<bool> Reconciler::read_nat() {
  // Somebody who rewrites our table again and again is answered ten times a second, not more.
  quick_reads_ =
      Clock::now() - nat_read_at_ < std::chrono::milliseconds(100) ? quick_reads_ + 1 : 0;
  if (quick_reads_ > 5) co_await pause(std::chrono::milliseconds(100));
  nat_read_at_ = Clock::now();
  nat_suspect_ = false;
  ++counters_.kernel_reads;
  // No pass runs meanwhile: what is known does not change under the other thread.
  const Accounts accounts{nat_, traffic_, traffic_readings_};
  auto work = [&table = kernel_.nat, options = ruleset(), accounts] {
    return read(table, options, accounts);
  };
  Result<NatReading> reading = co_await kernel_thread_.run(std::move(work));
  if (!reading) {
    nat_suspect_ = true;
    note_kernel_problem("cannot read or repair: " + reading.error().message());
    co_return false;
  }
  if (!reading->repaired.empty()) {
    rules_were_gone_ = true;
    if (adopted_once_ && !nat_culprit_.empty()) ++counters_.repairs;
    const std::string by = nat_culprit_.empty() ? "" : " after " + nat_culprit_;
    spdlog::warn("nftables rules written{}: {}", by, reading->repaired);
    events_.publish("repaired", std::nullopt, fmt::format("rules{}: {}", by, reading->repaired));
  }
  nat_ = std::move(reading->known);
  mark_all();
  co_return true;
}

boost::asio::awaitable<bool> Reconciler::read_routes() {
  routes_suspect_ = false;
  lost_.clear();  // by now the table lacks them
  ++counters_.kernel_reads;
  // No pass runs meanwhile, as above.
  auto work = [&table = kernel_.routes, &before = routes_] { return read(table, before); };
  Result<RouteReading> reading = co_await kernel_thread_.run(std::move(work));
  if (!reading) {
    routes_suspect_ = true;
    note_kernel_problem("cannot read: " + reading.error().message());
    co_return false;
  }
  routes_ = std::move(reading->known);
  for (const IpAddress& each : reading->vanished) note_withdrawal(each, Clock::now());
  note_strangers(std::move(reading->strangers));
  mark_all();
  co_return true;
}

// The kernel has it no more.
void Reconciler::forget_route(const IpAddress& destination, std::uint32_t metric) {
  const auto* known = routes_.find(destination);
  if (known == nullptr) return;
  const auto entry = std::find_if(known->begin(), known->end(),
                                  [metric](const auto& each) { return each.metric == metric; });
  if (entry == known->end()) return;
  routes_.remove({destination, metric, entry->interface});
  note_withdrawal(destination, Clock::now());
  mark(destination);
}

// The routes of one interface may have gone silently; the kernel filters, so this is cheap.
void Reconciler::read_interface(unsigned interface) {
  const AddressSet* believed = routes_.by_interface(interface);
  if (believed == nullptr) return;
  const auto dump = kernel_.routes.dump(interface);
  if (!dump) {
    suspect_routes("");
    return;
  }
  const KnownRoutes there(dump->own);
  std::vector<IpAddress> destinations;
  believed->for_each([&](const IpAddress& each) { destinations.push_back(each); });
  for (const IpAddress& destination : destinations) {
    const KnownRoutes::Entries entries = *routes_.find(destination);
    const auto* present = there.find(destination);
    for (const auto& entry : entries) {
      if (entry.interface != interface) continue;
      const bool still = present != nullptr &&
                         std::any_of(present->begin(), present->end(),
                                     [&](const auto& each) { return each.metric == entry.metric; });
      if (!still) forget_route(destination, entry.metric);
    }
    mark(destination);
  }
}

void Reconciler::note_strangers(std::vector<bgp::StrangerRoute> strangers) {
  constexpr std::size_t kMostRemembered = 100;
  if (strangers.size() > kMostRemembered)
    strangers.erase(strangers.begin() + kMostRemembered, strangers.end());
  for (const bgp::StrangerRoute& each : strangers) {
    if (std::find(strangers_.begin(), strangers_.end(), each) != strangers_.end()) continue;
    const std::string text = fmt::format(
        "a route that is not ours in our routing table: {} metric {} proto {}; BIRD may "
        "prefer it; left alone",
        each.destination, each.metric, each.protocol);
    spdlog::warn("{}", text);
    events_.publish("stranger", each.destination.address(), text);
  }
  strangers_ = std::move(strangers);
}

}  // namespace fipd
