#pragma once

#include <chrono>
#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include "bgp/bird_client.h"

namespace fipd::bgp {

class BirdObserver {
 public:
  virtual ~BirdObserver() = default;

  // The connection, BIRD's version, its problem, or a session's presence, state or start changed.
  virtual void bird_changed(const BirdSnapshot& snapshot) = 0;
  // Every look, changed or not; after bird_changed().
  virtual void bird_seen(const BirdSnapshot& snapshot) { static_cast<void>(snapshot); }
};

// Looks at BIRD's sessions every `interval`, from start() until its destruction, and tells the
// observer what changed; also that BIRD is away, and back. On the executor's one thread. Client and
// observer must outlive it.
class BirdWatch {
 public:
  BirdWatch(boost::asio::any_io_executor executor, BirdClient& client, BirdObserver& observer,
            std::chrono::milliseconds interval);
  ~BirdWatch();
  BirdWatch(const BirdWatch&) = delete;
  BirdWatch& operator=(const BirdWatch&) = delete;

  // Once.
  void start();
  // For a configuration that was reloaded; from the next pause on.
  void set_interval(std::chrono::milliseconds interval);

  // The last look, changed or not.
  [[nodiscard]] const BirdSnapshot& snapshot() const;

 private:
  struct Rounds;
  std::shared_ptr<Rounds> rounds_;
};

}  // namespace fipd::bgp
