#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/arrival/arrival_socket.h"
#include "daemon/base/address.h"

namespace fipd::arrival {

// Which addresses wait for an instance that is being migrated here, on which interface, and that it
// is heard there. Whoever runs behind a tap can say what it likes: so an address is heard once,
// only on its own interface, and only by one of its fixed addresses. RARP, with which a hypervisor
// says that a guest has begun to run, proves no address, and no MAC address either: only that
// somebody runs behind that interface. One thread; close() before the callback's owner goes.
class ArrivalWatch {
 public:
  // Interfaces that are listened to at a time; the others' turn comes when some are heard.
  static constexpr std::size_t kMost = 256;

  // Called once for each address that is heard; it is forgotten with that.
  using OnArrival = std::function<void(const IpAddress& floating)>;

  ArrivalWatch(boost::asio::any_io_executor executor, OnArrival on_arrival,
               std::size_t most = kMost)
      : executor_(std::move(executor)), on_arrival_(std::move(on_arrival)), most_(most) {}

  void want(const IpAddress& floating, unsigned interface, std::vector<IpAddress> fixed);
  void forget(const IpAddress& floating);
  void close();
  // A sentence on why some are not listened for; empty where all are.
  [[nodiscard]] std::string problem() const;

 private:
  struct Place {
    std::shared_ptr<ArrivalSocket> socket;                // null: nobody listens there
    std::map<IpAddress, std::vector<IpAddress>> waiting;  // floating -> fixed
  };

  void open(unsigned interface, Place& place);
  void drop(std::map<unsigned, Place>::iterator place);
  void heard(unsigned interface, const Heard& heard);

  boost::asio::any_io_executor executor_;
  OnArrival on_arrival_;
  std::map<unsigned, Place> places_;
  boost::unordered_flat_map<IpAddress, unsigned, AddressHash> interface_of_;
  std::size_t most_;
  std::size_t listening_ = 0;
  // Interfaces without a socket: beyond the limit, or refused by the kernel, and its last word.
  std::set<unsigned> beyond_;
  std::set<unsigned> refused_;
  std::string refusal_;
};

}  // namespace fipd::arrival
