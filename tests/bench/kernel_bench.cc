#include "tests/bench/kernel_bench.h"

#include <net/if.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "bgp/route_message.h"
#include "nat/element_message.h"

namespace fipd::bench {
namespace {

template <typename T>
T taken(Result<T> result) {
  if (!result) give_up(result.error().message());
  return std::move(*result);
}

void shell(const char* command) {
  if (std::system(command) != 0) give_up(command);  // NOLINT: constant text
}

}  // namespace

void give_up(const std::string& why) {
  std::fprintf(stderr, "benchmark: %s\n", why.c_str());
  std::exit(1);
}

IpAddress floating(unsigned i) { return boost::asio::ip::address_v4(0xac100000U + i); }
IpAddress fixed(unsigned i) { return boost::asio::ip::address_v4(0x0a400000U + i); }

Arena::Arena(Namespace where) {
  if (where == Namespace::kOwn && unshare(CLONE_NEWNET) != 0) {
    give_up("cannot make a network namespace: run it as root");
  }
  shell(
      "ip link set lo up && ip link add tap1 type veth peer name peer1 && "
      "ip link set tap1 up && ip link set peer1 up");
  interface = if_nametoindex("tap1");
  routes = taken(bgp::KernelRouteTable::open(kTable, kProtocol));
  nat = taken(nat::NftTable::open("fipd"));
  taken(nat->ensure_ruleset({}));
}

RawWriter::RawWriter()
    : nat_(taken(NetlinkSocket::open(NETLINK_NETFILTER, {}))),
      routes_(taken(NetlinkSocket::open(NETLINK_ROUTE, {}))) {}

void RawWriter::prepare_pairs(unsigned first, unsigned count) {
  std::vector<nat::ElementChange> changes;
  for (unsigned i = first; i < first + count; ++i) {
    changes.push_back({nat::Map::kFixedByFloating, floating(i), std::nullopt, fixed(i)});
    changes.push_back({nat::Map::kFloatingByFixed, fixed(i), std::nullopt, floating(i)});
  }
  nat::ElementEncoder encoder("fipd");
  const auto bytes =
      encoder.encode(changes, nat_.next_sequence(), nat::ElementEncoder::Packing::kMany);
  nat_batches_.emplace_back(bytes.begin(), bytes.end());
}

void RawWriter::prepare_routes(unsigned first, unsigned count, unsigned interface) {
  for (unsigned i = first; i < first + count;) {
    const unsigned end = std::min(i + 256, first + count);
    std::vector<std::byte>& batch = route_batches_.emplace_back();
    for (; i < end; ++i) {
      const bgp::RouteChange change{bgp::RouteAction::kAdd, {floating(i), 1024, interface}};
      bgp::encode_change(batch, change, {kTable, kProtocol}, routes_.next_sequence(), i + 1 == end);
    }
  }
}

void RawWriter::exchange(NetlinkSocket& socket, std::span<const std::byte> request) {
  const auto sent = socket.exchange(request, [](const nlmsghdr& header) {
    if (header.nlmsg_type != NLMSG_ERROR) return true;
    const int error = *reinterpret_cast<const int*>(&header + 1);
    if (error != 0) give_up(fmt::format("raw write refused: {}", std::strerror(-error)));
    return true;
  });
  if (!sent) give_up(sent.error().message());
}

void RawWriter::send() {
  for (const auto& batch : nat_batches_) exchange(nat_, batch);
  for (const auto& batch : route_batches_) exchange(routes_, batch);
  nat_batches_.clear();
  route_batches_.clear();
}

double quantile(std::vector<double> samples, double q) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const auto last = static_cast<double>(samples.size() - 1);
  return samples[static_cast<std::size_t>(q * last + 0.5)];
}

}  // namespace fipd::bench
