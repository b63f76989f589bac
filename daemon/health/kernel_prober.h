#pragma once

#include <memory>
#include <unordered_set>

#include <boost/asio/any_io_executor.hpp>

#include "daemon/health/echo_socket.h"
#include "daemon/health/prober.h"

namespace fipd::health {

// Real probes from this host. TCP: a connection that is reset at once, so that ten thousand checks
// leave no sockets in TIME_WAIT. ICMP: one socket a family, without privileges where
// net.ipv4.ping_group_range lets us, else a raw one with CAP_NET_RAW, else kImpossible with the
// remedy. On the executor's one thread.
class KernelProber final : public Prober {
 public:
  explicit KernelProber(boost::asio::any_io_executor executor);
  ~KernelProber() override;

  void probe(const CheckTarget& target, std::chrono::milliseconds timeout, Done done) override;
  // Ends all probes unanswered; later ones are not begun.
  void close();

 private:
  class Connect;
  struct Shared {
    bool open = true;
    std::unordered_set<Connect*> connects;
  };

  boost::asio::any_io_executor executor_;
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<EchoSocket> echoes4_;
  std::shared_ptr<EchoSocket> echoes6_;
};

}  // namespace fipd::health
