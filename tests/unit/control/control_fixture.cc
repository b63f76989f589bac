// The real HTTP server with a fake daemon behind it, for tests that speak to it from outside:
//   control_fixture SOCKET [--degraded] [--read-by-all] [--fill N] [--refused]
//                          [--metrics ADDRESS:PORT]
// Prints "ready" when it listens, and ends with its standard input.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "daemon/control/http_server.h"
#include "tests/unit/control/fake_service.h"

namespace {

struct Setup {
  fipd::control::HttpOptions options;
  bool degraded = false;
  bool refused = false;
  std::size_t fill = 0;
};

Setup setup_of(int count, char** arguments) {
  Setup setup;
  setup.options.group = "no-such-group";
  if (count > 1) setup.options.path = arguments[1];
  for (int i = 2; i < count; ++i) {
    const std::string_view word = arguments[i];
    const std::string_view value = i + 1 < count ? arguments[i + 1] : "";
    if (word == "--degraded") setup.degraded = true;
    if (word == "--refused") setup.refused = true;
    if (word == "--read-by-all") setup.options.read_by_all = true;
    if (word == "--metrics") setup.options.metrics_listen = value;
    if (word == "--fill") std::from_chars(value.data(), value.data() + value.size(), setup.fill);
  }
  return setup;
}

std::vector<fipd::RefusedWord> refused_words() {
  using fipd::parse_address;
  std::vector<fipd::RefusedWord> words(4);
  words[0] = {std::nullopt, "etcd:8ab8", "not JSON: incomplete JSON"};
  words[1] = {std::nullopt, "files:/etc/fipd/floating-ips.d/a.toml", "a.toml:3:1: unknown key"};
  words[2] = {*parse_address("172.16.1.3"), "etcd:51cd", "'fixed' is missing"};
  words[3] = {*parse_address("172.16.1.4"), "etcd:77aa", "the role 'witness' is not known"};
  return words;
}

}  // namespace

int main(int count, char** arguments) {
  const Setup setup = setup_of(count, arguments);
  boost::asio::io_context loop(1);
  fipd::Background background;
  fipd::FakeService service;
  service.healthy = !setup.degraded;
  service.fill(setup.fill);
  if (setup.refused) service.cannot_take = refused_words();
  fipd::control::HttpServer server(loop.get_executor(), setup.options, service, background);
  const fipd::Outcome started = server.start();
  if (!started) {
    std::fprintf(stderr, "%s\n", started.error().message().c_str());
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  boost::asio::posix::stream_descriptor input(loop, dup(STDIN_FILENO));
  char ignored = 0;
  input.async_read_some(boost::asio::buffer(&ignored, 1),
                        [&](boost::system::error_code, std::size_t) { server.stop(); });
  loop.run();
}
