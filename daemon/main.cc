#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <spdlog/spdlog.h>

#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/flush.h"
#include "daemon/log.h"

namespace fipd {
namespace {

constexpr int kStartFailed = 1;
constexpr int kBadConfig = 6;
// Answers under way get this long when we are told to end, and the tasks after them.
constexpr std::chrono::seconds kGoodbye{2};

boost::asio::awaitable<void> serve_signals(boost::asio::io_context& context, Daemon& daemon) {
  boost::asio::signal_set signals(context, SIGTERM, SIGINT, SIGHUP);
  for (;;) {
    const int number = co_await signals.async_wait(boost::asio::use_awaitable);
    if (number != SIGHUP) {
      spdlog::info("ending on signal {}; routes and mappings stay", number);
      co_await daemon.stop(kGoodbye);
      co_return;
    }
    // Its outcome is in the log; there is nobody else to tell.
    const auto reloaded = co_await daemon.reload();
    static_cast<void>(reloaded);
  }
}

int run(const Config& config, const std::string& file) {
  boost::asio::io_context context(1);
  Daemon daemon(context, config, file);
  if (const auto started = daemon.start(); !started) {
    spdlog::critical("cannot start: {}", started.error().message());
    return kStartFailed;
  }
  bool ended = false;
  auto on_end = [&ended](const std::exception_ptr&) { ended = true; };
  boost::asio::co_spawn(context, serve_signals(context, daemon), on_end);
  while (!ended) context.run_one();
  context.run_for(kGoodbye);
  // Coroutines that did not end in time refer to parts of the daemon, and the parts to the context:
  // there is no order in which both could be taken apart, and nothing to be gained by it.
  if (!context.stopped()) std::_Exit(0);
  return 0;
}

int main_with(int argc, char** argv) {
  CLI::App app{"fipd carries floating IPs on compute hosts, beside the BIRD routing daemon."};
  std::string file = "/etc/fipd/fipd.toml";
  bool check = false;
  bool flush = false;
  app.add_option("--config", file, "The configuration file; conf.d/*.toml beside it is read too")
      ->capture_default_str();
  app.add_flag("--check", check, "Only read the configuration, say what is wrong with it, and end");
  app.add_flag(
      "--flush", flush,
      "Take fipd's nftables table and routes out of the kernel, and end. For a host that is "
      "given up: all its floating IPs stop. Not while fipd runs");
  app.set_version_flag("--version", std::string("fipd ") + FIPD_VERSION);
  CLI11_PARSE(app, argc, argv);

  const auto config = load_config(file);
  if (!config) {
    std::cerr << config.error().message() << "\n";
    return kBadConfig;
  }
  if (check) {
    std::cout << file << ": ok\n";
    return 0;
  }
  if (flush) {
    const auto flushed = flush_kernel(*config);
    if (!flushed) std::cerr << flushed.error().message() << "\n";
    return flushed ? 0 : kStartFailed;
  }
  // A log that nobody reads any more must not end the daemon.
  std::signal(SIGPIPE, SIG_IGN);
  start_logging(config->log.level);
  return run(*config, file);
}

}  // namespace
}  // namespace fipd

int main(int argc, char** argv) { return fipd::main_with(argc, argv); }
