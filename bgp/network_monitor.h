#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include <boost/asio/any_io_executor.hpp>

#include "bgp/network.h"
#include "daemon/base/result.h"

namespace fipd::bgp {

// Tells a NetworkObserver what happens to links, addresses, routes and forwarding, on the
// executor's thread; at most 64 datagrams a turn. Events queue in the socket from open() on: open
// before the first dump, start after it, and no change falls between. What `own_ports` write is
// never seen. The observer may destroy the monitor from within a call. Must not outlive the
// executor's context.
class NetworkMonitor {
 public:
  // `receive_buffer`: 32 MiB hold about 40,000 events.
  [[nodiscard]] static Result<std::unique_ptr<NetworkMonitor>> open(
      boost::asio::any_io_executor executor, std::span<const std::uint32_t> own_ports,
      NetworkObserver& observer, int receive_buffer = 32 << 20);
  ~NetworkMonitor();
  NetworkMonitor(const NetworkMonitor&) = delete;
  NetworkMonitor& operator=(const NetworkMonitor&) = delete;

  // Once.
  void start();

 private:
  class Reader;
  explicit NetworkMonitor(std::shared_ptr<Reader> reader);

  std::shared_ptr<Reader> reader_;
};

}  // namespace fipd::bgp
