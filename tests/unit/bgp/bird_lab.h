#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "tests/unit/bgp/bird_fake.h"

namespace fipd::bgp {

// What `command` prints, errors too.
inline std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer{};
  while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    text.append(buffer.data(), size);
  }
  ::pclose(pipe);
  return text;
}

inline bool wait_until(const std::function<bool()>& done) {
  for (int i = 0; i < 300; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

// A real BIRD in a network namespace, ended by its pid.
class RealBird {
 public:
  RealBird(std::string space, std::filesystem::path folder, std::string name)
      : space_(std::move(space)), folder_(std::move(folder)), name_(std::move(name)) {}
  ~RealBird() { end(SIGTERM); }
  RealBird(const RealBird&) = delete;
  RealBird& operator=(const RealBird&) = delete;

  void start(bool recover = false) {
    std::filesystem::remove(socket());
    const std::string conf = (folder_ / (name_ + ".conf")).string();
    const std::string pid_file = (folder_ / (name_ + ".pid")).string();
    std::vector<std::string> words = {"ip", "netns", "exec", space_, "bird",
                                      "-f", "-c",    conf,   "-s",   socket().string(),
                                      "-P", pid_file};
    if (recover) words.emplace_back("-R");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::execvp(arguments[0], arguments.data());  // `ip netns exec` becomes BIRD: the same pid
      ::_exit(127);
    }
    wait_until([this] { return std::filesystem::exists(socket()); });
  }
  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGCONT);
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  void signal(int number) const { ::kill(pid_, number); }
  std::string birdc(const std::string& words) const {
    return output_of(fmt::format("birdc -s {} \"{}\"", socket().string(), words));
  }
  [[nodiscard]] std::filesystem::path socket() const { return folder_ / (name_ + ".ctl"); }

 private:
  std::string space_;
  std::filesystem::path folder_;
  std::string name_;
  pid_t pid_ = 0;
};

// A compute host with the shipped configuration, and its router: two namespaces, a cable, two real
// BIRDs. Gone with the object.
class BirdLab {
 public:
  // `example`: a file of conf/bird/examples. iBGP: the router has the host's AS number.
  BirdLab(const std::string& example, bool ibgp)
      : host_space_(fmt::format("fipd-bird-h{}", ::getpid())),
        router_space_(fmt::format("fipd-bird-r{}", ::getpid())),
        host(host_space_, folder_.path(), "host"),
        router(router_space_, folder_.path(), "router") {
    make_network();
    write_configuration(example, ibgp);
    router.start();
    host.start();
  }
  ~BirdLab() {
    host.end(SIGTERM);
    router.end(SIGTERM);
    output_of("ip netns del " + host_space_);
    output_of("ip netns del " + router_space_);
  }
  BirdLab(const BirdLab&) = delete;
  BirdLab& operator=(const BirdLab&) = delete;

  void add_route(const std::string& destination, const std::string& more) const {
    const std::string said = output_of(
        fmt::format("ip -n {} route add {} dev tap1 table 172 {}", host_space_, destination, more));
    if (!said.empty()) throw std::runtime_error(said);
  }
  // The routes of `space`'s main table that lead to floating IPs.
  [[nodiscard]] std::string floating_in_main_table_of_host() const {
    return output_of(fmt::format("ip -n {} route show root 172.16.0.0/16", host_space_));
  }
  [[nodiscard]] const std::string& router_space() const { return router_space_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }

  // Copies what an operator would, with BIRD's log in the test's own folder.
  static void copy_configuration(const std::filesystem::path& to) {
    const auto from = std::filesystem::path(__FILE__).parent_path() / "../../../conf/bird";
    for (const char* folder : {"", "examples"}) {
      for (const auto& file : std::filesystem::directory_iterator(from / folder)) {
        if (file.is_regular_file()) std::filesystem::copy(file, to / file.path().filename());
      }
    }
  }

 private:
  void make_network() const {
    const std::string said = output_of(fmt::format(
        "set -e; ip netns add {0}; ip netns add {1}; for n in {0} {1}; do ip -n $n link set lo up; "
        "done; ip -n {0} link add up0 type veth peer name dn0 netns {1}; "
        "ip -n {0} link add tap1 type veth peer name tap1p; "
        "for l in up0 tap1 tap1p; do ip -n {0} link set $l up; done; ip -n {1} link set dn0 up; "
        "ip -n {0} addr add 10.99.0.1/30 dev up0; ip -n {1} addr add 10.99.0.2/30 dev dn0; "
        "ip -n {0} addr add 2001:db8:99::1/64 dev up0 nodad; "
        "ip -n {1} addr add 2001:db8:99::2/64 dev dn0 nodad",
        host_space_, router_space_));
    if (!said.empty()) throw std::runtime_error(said);
  }

  void write_configuration(const std::string& example, bool ibgp) const {
    copy_configuration(folder_.path());
    std::stringstream text;
    text << std::ifstream(folder_.path() / example).rdbuf();
    std::string conf = text.str();
    if (ibgp) {
      for (const auto& [from, to] :
           {std::pair("as 64513", "as 64512"),
            std::pair("filter fipd_export_ebgp", "filter fipd_export_ibgp"),
            std::pair("from fipd_ebgp", "from fipd_ibgp")}) {
        for (std::size_t at = conf.find(from); at != conf.npos; at = conf.find(from, at + 1)) {
          conf.replace(at, std::string(from).size(), to);
        }
      }
    }
    const std::string to_syslog = "log syslog all;";
    conf.replace(conf.find(to_syslog), to_syslog.size(), "log stderr { error, bug };");
    std::ofstream(folder_.path() / "host.conf") << conf;
    std::ofstream(folder_.path() / "router.conf") << fmt::format(
        "log stderr {{ error, bug }};\nrouter id 10.99.0.2;\nprotocol device {{}}\n"
        "protocol kernel {{ ipv4 {{ export all; }}; }}\nprotocol kernel {{ ipv6 {{ export all; }}; "
        "}}\n"
        "protocol bgp host {{ local 10.99.0.2 as {}; neighbor 10.99.0.1 as 64512;\n"
        "  direct; connect delay time 1; connect retry time 1; error wait time 1, 2;\n"
        "  graceful restart on; ipv4 {{ import all; export none; }};\n"
        "  ipv6 {{ import all; export none; }}; }}\n",
        ibgp ? 64512 : 64513);
  }

  TemporaryFolder folder_;
  std::string host_space_;
  std::string router_space_;

 public:
  RealBird host;
  RealBird router;
};

}  // namespace fipd::bgp
