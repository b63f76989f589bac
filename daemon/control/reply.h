#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

namespace fipd::control {

// A body that is made while it is sent: a listing of 100,000 rows, the event stream. Belongs to one
// answer; next() is called again only after what it gave has been sent.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // The next piece; empty: the end.
  virtual boost::asio::awaitable<std::string> next() = 0;
  // Makes a waiting next() return the end, and drops what the source holds of others.
  virtual void cancel() {}
  // It stays open for as long as the client likes; `cut_off` ends the connection of one that reads
  // too slowly.
  [[nodiscard]] virtual bool endless() const { return false; }
  virtual void on_overflow(std::function<void()> /*cut_off*/) {}
};

// What a handler answers. The session turns it into HTTP.
struct Reply {
  unsigned status = 200;
  const char* type = "application/json";
  std::string body;
  std::string allow;                   // the Allow header, where not empty
  std::shared_ptr<BodySource> stream;  // in place of `body`
};

}  // namespace fipd::control
