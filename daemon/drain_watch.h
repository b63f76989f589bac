#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "bgp/bird_client.h"
#include "daemon/base/signal.h"
#include "daemon/observe/events.h"
#include "daemon/observe/report.h"
#include "daemon/reconcile/reconciler.h"

namespace fipd {

// How far the kernel and the peers are with what is drained, and which connections are still open
// on it. What a peer has is BIRD's word: it exports the prefix to that session, and has it with
// the drained metric in its table. One thread.
class DrainWatch {
 public:
  DrainWatch(boost::asio::any_io_executor executor, Reconciler& reconciler, EventHub& events);

  // Whom to ask, for routes of that protocol. Without it the report says that nobody can be asked.
  void use_bird(bgp::BirdClient& bird, unsigned protocol,
                std::function<std::vector<std::string>()> established);

  boost::asio::awaitable<DrainReport> report(bool with_connections);
  // While something is drained and somebody besides the log listens: an event whenever the number
  // of open connections has changed.
  boost::asio::awaitable<void> run();
  void drain_changed() { changed_.notify_all(); }

 private:
  [[nodiscard]] std::vector<IpAddress> drained() const;
  [[nodiscard]] std::size_t unwritten(const std::vector<IpAddress>& drained) const;
  boost::asio::awaitable<void> ask_sessions(DrainReport& report,
                                            const std::vector<IpAddress>& drained);
  boost::asio::awaitable<Result<std::size_t>> undrained(std::string session,
                                                        const std::vector<IpAddress>& drained);
  boost::asio::awaitable<Result<std::size_t>> connections(std::vector<IpAddress> drained);

  Reconciler& reconciler_;
  EventHub& events_;
  bgp::BirdClient* bird_ = nullptr;
  unsigned protocol_ = 0;
  std::function<std::vector<std::string>()> established_;
  Signal changed_;
};

}  // namespace fipd
