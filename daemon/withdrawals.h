#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "bgp/bird_client.h"
#include "daemon/base/address.h"
#include "daemon/base/signal.h"

namespace fipd {

// Follows addresses whose routes are gone until no session has them any more: few of them one by
// one, many by all that each session has. Gives up after the linger time, and where BIRD does not
// answer; then the linger time rules. One thread.
class Withdrawals {
 public:
  using Clock = std::chrono::steady_clock;

  // Whether, as BIRD stands now, a peer may still have what nobody can ask it, its session being
  // down.
  using Unknown = std::function<bool(const bgp::BirdSnapshot& now)>;
  Withdrawals(boost::asio::any_io_executor executor, bgp::BirdClient& client, Unknown unknown);

  void follow(const IpAddress& address, std::chrono::milliseconds linger);
  // Called once no session has it, with the time since its route went.
  void on_released(std::function<void(const IpAddress&, Clock::duration)> call) {
    released_ = std::move(call);
  }
  boost::asio::awaitable<void> run();

  [[nodiscard]] std::size_t size() const { return followed_.size(); }

 private:
  struct Followed {
    Clock::time_point since;
    Clock::time_point until;
    bool exported = false;  // as of the look under way
    bool looked_at = false;
  };

  boost::asio::awaitable<void> look_one_by_one();
  boost::asio::awaitable<void> look_in_bulk();
  void release(const IpAddress& address);
  void give_up_what_is_late();

  boost::asio::any_io_executor executor_;
  bgp::BirdClient& client_;
  Unknown unknown_;
  std::function<void(const IpAddress&, Clock::duration)> released_;
  boost::unordered_flat_map<IpAddress, Followed, AddressHash> followed_;
  Signal arrived_;
};

}  // namespace fipd
