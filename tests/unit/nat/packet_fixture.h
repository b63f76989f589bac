#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <optional>
#include <string>
#include <utility>

#include "kernel_fixture.h"

namespace fipd::nat {

// A socket in whatever namespace the thread was in when it was made.
class Socket {
 public:
  Socket(int family, int type) : fd_(socket(family, type | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool bind_to(const Endpoint& at) const { return call(bind, at) == 0; }
  [[nodiscard]] bool connect_to(const Endpoint& to) const { return call(connect, to) == 0; }
  void send_to(const Endpoint& to, std::size_t size = 1) const {
    const std::string data(size, 'x');
    sockaddr_storage address{};
    const socklen_t length = fill(to, address);
    (void)sendto(fd_, data.data(), data.size(), 0, reinterpret_cast<sockaddr*>(&address), length);
  }
  // Who sent the next datagram; nothing where none comes.
  [[nodiscard]] std::optional<Endpoint> receive(int milliseconds = 2000) const {
    pollfd ready{fd_, POLLIN, 0};
    if (poll(&ready, 1, milliseconds) <= 0) return std::nullopt;
    char data[2048];
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    if (recvfrom(fd_, data, sizeof data, 0, reinterpret_cast<sockaddr*>(&from), &length) < 0) {
      return std::nullopt;
    }
    if (from.ss_family == AF_INET) {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(&from);
      return Endpoint{from_bytes(&v4->sin_addr, 4), ntohs(v4->sin_port)};
    }
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&from);
    return Endpoint{from_bytes(&v6->sin6_addr, 16), ntohs(v6->sin6_port)};
  }
  // Datagrams that are there, or come within the time after another.
  [[nodiscard]] unsigned drain(int milliseconds = 200) const {
    unsigned count = 0;
    while (receive(milliseconds)) ++count;
    return count;
  }

 private:
  static socklen_t fill(const Endpoint& endpoint, sockaddr_storage& out) {
    const AddressBytes bytes = to_bytes(endpoint.address);
    if (endpoint.address.is_v4()) {
      auto* v4 = reinterpret_cast<sockaddr_in*>(&out);
      v4->sin_family = AF_INET;
      v4->sin_port = htons(endpoint.port);
      std::memcpy(&v4->sin_addr, bytes.data, bytes.size);
      return sizeof *v4;
    }
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&out);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint.port);
    std::memcpy(&v6->sin6_addr, bytes.data, bytes.size);
    return sizeof *v6;
  }
  template <typename Call>
  int call(Call what, const Endpoint& endpoint) const {
    sockaddr_storage address{};
    const socklen_t length = fill(endpoint, address);
    return what(fd_, reinterpret_cast<const sockaddr*>(&address), length);
  }

  int fd_;
};

// A host (this namespace) between a client beyond eth0 and an instance behind tap1, which has
// 10.65.0.13 and fd65::13. The client has 192.0.2.9, and routes to the host for everything.
class PacketFixture : public NftTableFixture {
 protected:
  void SetUp() override {
    NftTableFixture::SetUp();
    if (IsSkipped()) return;
    client_ = fmt::format("fipd-nat-{}-client", getpid());
    instance_ = fmt::format("fipd-nat-{}-instance", getpid());
    add_neighbour(client_, "eth0", "192.0.2.9/24", "192.0.2.1/24", "2001:db8:9::9/64",
                  "2001:db8:9::1/64");
    add_neighbour(instance_, "tap1", "10.65.0.13/24", "10.65.0.1/24", "fd65::13/64", "fd65::1/64");
    run("ip link set lo up");
    run("ip route add default via 192.0.2.9");
    run("ip -6 route add default via 2001:db8:9::9");
    run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
        "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.all.send_redirects=0 "
        "net.ipv4.conf.eth0.send_redirects=0");
    // A link takes its time to carry, and the first datagram would be lost.
    for (const char* neighbour : {"192.0.2.9", "10.65.0.13", "2001:db8:9::9", "fd65::13"}) {
      run(fmt::format(
          "for i in $(seq 50); do ping -c 1 -W 1 {} > /dev/null && exit 0; done; exit 1",
          neighbour));
    }
  }
  void TearDown() override {
    for (const std::string& name : {client_, instance_}) {
      if (!name.empty()) shell("ip netns del " + name);
    }
  }

  static void run(const std::string& command) {
    int status = 0;
    const std::string said = shell(command, &status);
    ASSERT_EQ(status, 0) << command << ": " << said;
  }
  static void run_in(const std::string& space, const std::string& command) {
    run("ip netns exec " + space + " " + command);
  }
  static Socket udp(const IpAddress& of_family) {
    return {of_family.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM};
  }
  // A socket in another namespace, bound.
  static Socket udp_in(const std::string& space, const Endpoint& at) {
    const int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    const int there = open(("/run/netns/" + space).c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(setns(there, CLONE_NEWNET), 0);
    Socket out = udp(at.address);
    EXPECT_EQ(setns(here, CLONE_NEWNET), 0);
    close(there);
    close(here);
    EXPECT_TRUE(out.bind_to(at));
    return out;
  }

  std::string client_;
  std::string instance_;

 private:
  static void add_neighbour(const std::string& space, const std::string& link,
                            const std::string& address, const std::string& ours,
                            const std::string& address6, const std::string& ours6) {
    run("ip netns add " + space);
    for (const std::string& prefix : {std::string(), "ip netns exec " + space + " "}) {
      run(prefix + "sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0");
    }
    run(fmt::format("ip link add {} type veth peer name eth0 netns {}", link, space));
    run(fmt::format("ip link set {} up", link));
    run(fmt::format("ip address add {} dev {}", ours, link));
    run(fmt::format("ip address add {} dev {} nodad", ours6, link));
    run_in(space, "ip link set eth0 up");
    run_in(space, "ip address add " + address + " dev eth0");
    run_in(space, "ip address add " + address6 + " dev eth0 nodad");
    run_in(space, "ip route add default via " + ours.substr(0, ours.find('/')));
    run_in(space, "ip -6 route add default via " + ours6.substr(0, ours6.find('/')));
  }
};

}  // namespace fipd::nat
