#include "tests/unit/control/server_harness.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>

#include <gtest/gtest.h>

namespace fipd::control {

ServerHarness::ServerHarness(const HttpLimits& limits, std::size_t bindings) {
  std::string pattern = std::filesystem::temp_directory_path() / "fipd-control-XXXXXX";
  directory = mkdtemp(pattern.data());
  service.fill(bindings);
  options.path = directory / "fipd.sock";
  options.group = "no-such-group";
  options.limits = limits;
  server = std::make_unique<HttpServer>(loop.get_executor(), options, service, background);
  const Outcome started = server->start();
  EXPECT_TRUE(started) << (started ? "" : started.error().message());
  thread_ = std::thread([this] { loop.run(); });
}

ServerHarness::~ServerHarness() {
  boost::asio::post(loop, [this] { server->stop(); });
  thread_.join();
  std::filesystem::remove_all(directory);
}

RawClient::RawClient(const std::filesystem::path& path) : fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
  const timeval deadline{5, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0)
      << std::strerror(errno);
}

RawClient::~RawClient() {
  if (fd_ >= 0) close(fd_);
}

bool RawClient::send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string RawClient::receive(std::size_t size) {
  std::string text(size, '\0');
  const ssize_t count = recv(fd_, text.data(), text.size(), 0);
  timed_out_ = count < 0 && errno == EAGAIN;
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return text;
}

std::string RawClient::receive_until(std::string_view text) {
  std::string all;
  while (all.find(text) == std::string::npos) {
    const std::string more = receive();
    if (more.empty()) break;
    all += more;
  }
  return all;
}

std::string RawClient::receive_all() {
  std::string all;
  for (std::string more = receive(); !more.empty(); more = receive()) all += more;
  return all;
}

std::string ask(const ServerHarness& harness, std::string_view method, std::string_view target,
                std::string_view body) {
  RawClient client(harness.options.path);
  client.send(
      fmt::format("{} {} HTTP/1.1\r\nHost: fipd\r\nConnection: close\r\nContent-Length: "
                  "{}\r\n\r\n{}",
                  method, target, body.size(), body));
  return client.receive_all();
}

std::string get(const ServerHarness& harness, std::string_view target) {
  return ask(harness, "GET", target);
}

}  // namespace fipd::control
