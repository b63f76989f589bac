// The traffic of datapath.py: packets from one network namespace through another into a third, made
// and carried by this one thread (veth hands a packet on within the sender's system call), so that
// the time a packet takes is the time of its whole way. Frames are built before the clock starts.
//   bench_traffic flows|packets FROM_NAMESPACE INTERFACE DESTINATION_MAC TO_NAMESPACE INTERFACE
//   BASE
//                 COUNT AMOUNT
//   bench_traffic connects FROM_NAMESPACE TO_NAMESPACE BASE COUNT AMOUNT
// Destinations are BASE and the COUNT - 1 addresses after it, in turns. `flows`: every packet is a
// flow of its own. `packets`: COUNT flows, set up before the clock starts. Prints seconds, until
// the last has arrived.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace {

constexpr unsigned kBatch = 64;
// The kernel queues 1,000 packets a processor where its own thread has to go on with them.
constexpr std::uint64_t kUnderway = 400;
constexpr std::uint16_t kPort = 7000;
constexpr std::uint32_t kSources = 0xc6130000;  // 198.19.0.0, for benchmarks
constexpr unsigned kPayload = 18;               // the smallest Ethernet frame
constexpr unsigned kPortsEach = 60000;

[[noreturn]] void give_up(const std::string& what) {
  std::perror(what.c_str());
  std::exit(1);
}

void enter(const std::string& name) {
  const int fd = open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) give_up("enter namespace " + name);
  close(fd);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::uint32_t address_of(const char* text) {
  in_addr address{};
  if (inet_pton(AF_INET, text, &address) != 1) give_up(text);
  return ntohl(address.s_addr);
}

std::uint32_t sum_words(std::span<const std::byte> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at + 1 < bytes.size(); at += 2) {
    sum += std::to_integer<std::uint32_t>(bytes[at]) << 8U |
           std::to_integer<std::uint32_t>(bytes[at + 1]);
  }
  return sum;
}

std::uint16_t folded(std::uint32_t sum) {
  while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return htons(static_cast<std::uint16_t>(~sum));
}

struct Frame {
  ether_header ethernet;
  iphdr ip;
  udphdr udp;
  std::array<std::byte, kPayload> payload;
} __attribute__((packed));

Frame make_frame(const std::array<std::uint8_t, 6>& to, std::uint32_t source, std::uint16_t port,
                 std::uint32_t destination) {
  Frame frame{};
  std::copy(to.begin(), to.end(), frame.ethernet.ether_dhost);
  frame.ethernet.ether_shost[0] = 2;
  frame.ethernet.ether_type = htons(ETHERTYPE_IP);
  frame.ip.version = 4;
  frame.ip.ihl = 5;
  frame.ip.ttl = 64;
  frame.ip.protocol = IPPROTO_UDP;
  frame.ip.tot_len = htons(sizeof(iphdr) + sizeof(udphdr) + kPayload);
  frame.ip.saddr = htonl(source);
  frame.ip.daddr = htonl(destination);
  const auto bytes = std::as_bytes(std::span(&frame, 1));
  frame.ip.check = folded(sum_words(bytes.subspan(sizeof(ether_header), sizeof(iphdr))));
  frame.udp.source = htons(port);
  frame.udp.dest = htons(kPort);
  frame.udp.len = htons(sizeof(udphdr) + kPayload);
  // The pseudo header: both addresses, protocol, length.
  const std::size_t addresses = sizeof(ether_header) + offsetof(iphdr, saddr);
  frame.udp.check =
      folded(sum_words(bytes.subspan(addresses)) + IPPROTO_UDP + sizeof(udphdr) + kPayload);
  return frame;
}

// The i-th packet where every packet is a flow: the destinations in turns, then the next port.
Frame flow_frame(const std::array<std::uint8_t, 6>& to, std::uint32_t base, unsigned count,
                 unsigned i) {
  const unsigned turn = i / count;
  return make_frame(to, kSources + turn / kPortsEach,
                    static_cast<std::uint16_t>(1024 + turn % kPortsEach), base + i % count);
}

// How many packets have been given to an interface.
class Arrivals {
 public:
  Arrivals(const std::string& space, const char* interface) {
    enter(space);
    socket_ = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    request_.header.nlmsg_len = sizeof(request_);
    request_.header.nlmsg_type = RTM_GETSTATS;
    request_.header.nlmsg_flags = NLM_F_REQUEST;
    request_.stats.ifindex = if_nametoindex(interface);
    request_.stats.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
    if (socket_ < 0 || request_.stats.ifindex == 0) give_up(std::string("count on ") + interface);
  }
  ~Arrivals() { close(socket_); }
  Arrivals(const Arrivals&) = delete;
  Arrivals& operator=(const Arrivals&) = delete;

  std::uint64_t count() {
    std::array<char, 1024> answer{};
    constexpr std::size_t kStats = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(if_stats_msg)) + NLA_HDRLEN;
    rtnl_link_stats64 stats{};
    if (send(socket_, &request_, sizeof(request_), 0) < 0 ||
        recv(socket_, answer.data(), answer.size(), 0) <
            static_cast<ssize_t>(kStats + sizeof(stats.rx_packets))) {
      give_up("count packets");
    }
    std::memcpy(&stats.rx_packets, answer.data() + kStats, sizeof(stats.rx_packets));
    return stats.rx_packets;
  }

 private:
  int socket_ = -1;
  struct {
    nlmsghdr header;
    if_stats_msg stats;
  } request_{};
};

// Sends, and waits where more than kUnderway packets have not arrived yet.
class Sender {
 public:
  Sender(const std::string& space, const char* interface, Arrivals& arrivals)
      : arrivals_(arrivals), arrived_before_(arrivals.count()) {
    enter(space);
    socket_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    const int on = 1;
    if (socket_ < 0 || bind(socket_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0 ||
        setsockopt(socket_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) != 0) {
      give_up(std::string("packet socket on ") + interface);
    }
  }
  ~Sender() { close(socket_); }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  void send(std::span<Frame> frames) {
    std::array<mmsghdr, kBatch> messages{};
    std::array<iovec, kBatch> parts{};
    while (!frames.empty()) {
      const auto count = static_cast<unsigned>(std::min<std::size_t>(kBatch, frames.size()));
      for (unsigned i = 0; i < count; ++i) {
        parts[i] = {&frames[i], sizeof(Frame)};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
      }
      const int sent = sendmmsg(socket_, messages.data(), count, 0);
      if (sent <= 0) give_up("sendmmsg");
      frames = frames.subspan(static_cast<std::size_t>(sent));
      sent_ += static_cast<std::uint64_t>(sent);
      if (++batches_ % 4 == 0) wait_for(sent_ - std::min(sent_, kUnderway));
    }
  }

  void wait_for_all() { wait_for(sent_); }

 private:
  void wait_for(std::uint64_t wanted) {
    const auto start = std::chrono::steady_clock::now();
    for (;;) {
      const std::uint64_t arrived = arrivals_.count() - arrived_before_;
      if (arrived >= wanted) return;
      if (seconds_since(start) > 5) {
        std::fprintf(stderr, "bench_traffic: of %lu packets only %lu arrived\n", sent_, arrived);
        std::exit(1);
      }
      sched_yield();
    }
  }

  Arrivals& arrivals_;
  std::uint64_t arrived_before_;
  std::uint64_t sent_ = 0;
  unsigned batches_ = 0;
  int socket_ = -1;
};

int run_datagrams(bool each_a_flow, std::span<char*> words) {
  const ether_addr* mac = ether_aton(words[2]);
  if (mac == nullptr) give_up("MAC address");
  std::array<std::uint8_t, 6> to{};
  std::copy(std::begin(mac->ether_addr_octet), std::end(mac->ether_addr_octet), to.begin());
  const std::uint32_t base = address_of(words[5]);
  const auto count = static_cast<unsigned>(std::strtoul(words[6], nullptr, 10));
  const auto amount = static_cast<unsigned>(std::strtoul(words[7], nullptr, 10));
  Arrivals arrivals(words[3], words[4]);
  Sender sender(words[0], words[1], arrivals);
  std::vector<Frame> frames;
  const unsigned distinct = each_a_flow ? amount : count;
  frames.reserve(distinct);
  for (unsigned i = 0; i < distinct; ++i) frames.push_back(flow_frame(to, base, count, i));
  if (!each_a_flow) sender.send(frames);
  sender.wait_for_all();
  const auto start = std::chrono::steady_clock::now();
  for (unsigned left = amount; left > 0;) {
    const unsigned now = std::min<unsigned>(left, static_cast<unsigned>(frames.size()));
    sender.send(std::span(frames).first(now));
    left -= now;
  }
  sender.wait_for_all();
  std::printf("%.6f\n", seconds_since(start));
  return 0;
}

// The whole handshake happens inside connect(): both ends are in this thread.
int run_connects(std::span<char*> words) {
  const std::uint32_t base = address_of(words[2]);
  const auto count = static_cast<unsigned>(std::strtoul(words[3], nullptr, 10));
  const auto amount = static_cast<unsigned>(std::strtoul(words[4], nullptr, 10));
  enter(words[1]);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in all{};
  all.sin_family = AF_INET;
  all.sin_port = htons(kPort);
  if (bind(listener, reinterpret_cast<sockaddr*>(&all), sizeof(all)) != 0 ||
      listen(listener, 64) != 0) {
    give_up("listen");
  }
  enter(words[0]);
  const linger at_once{1, 0};  // a reset: no TIME_WAIT fills the sender's ports
  const auto start = std::chrono::steady_clock::now();
  for (unsigned i = 0; i < amount; ++i) {
    const int caller = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to = all;
    to.sin_addr.s_addr = htonl(base + i % count);
    setsockopt(caller, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    if (connect(caller, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) give_up("connect");
    const int called = accept(listener, nullptr, nullptr);
    if (called < 0) give_up("accept");
    close(caller);
    close(called);
  }
  std::printf("%.6f\n", seconds_since(start));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<char*> words(argv, static_cast<std::size_t>(argc));
  const std::string mode = argc > 1 ? words[1] : "";
  if (mode == "connects" && argc == 7) return run_connects(words.subspan(2));
  if ((mode == "flows" || mode == "packets") && argc == 10) {
    return run_datagrams(mode == "flows", words.subspan(2));
  }
  std::fprintf(stderr, "bench_traffic: see the head of traffic.cc\n");
  return 2;
}
