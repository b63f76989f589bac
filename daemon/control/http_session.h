#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include <boost/asio/generic/stream_protocol.hpp>

#include "daemon/control/handlers.h"
#include "daemon/control/http_limits.h"
#include "daemon/control/peer.h"

namespace fipd::control {

// What a connection may ask for, decided when it was accepted.
struct SessionRights {
  Access access;
  bool metrics_only = false;  // the TCP listener
  bool overloaded = false;    // one client too many: 503 to whatever it asks
};

// One client's connection: reads requests, one after the other, and writes the answers. Holds
// itself alive while it runs; the only file that knows Beast is http_session.cc.
class HttpSession {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;

  virtual ~HttpSession() = default;
  // `on_end` is called once, when the connection is closed.
  virtual void start(std::function<void()> on_end) = 0;
  // Closes it after the answer under way, or at once where there is none or it has no end.
  virtual void finish() = 0;
  // Closes it at once and lets go of the event hub. on_end still follows.
  virtual void abort() = 0;

  [[nodiscard]] static std::shared_ptr<HttpSession> make(Socket socket, SessionRights rights,
                                                         std::shared_ptr<Handlers> handlers,
                                                         const HttpLimits& limits);
};

}  // namespace fipd::control
