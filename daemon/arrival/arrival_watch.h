#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/arrival/arrival_socket.h"
#include "daemon/base/address.h"

namespace fipd::arrival {

// Which addresses wait for an instance that is being migrated here, on which interface, and that it
// is heard there. Whoever runs behind a tap can say what it likes: so an address is heard once,
// only on its own interface, and only by one of its fixed addresses, or by RARP, with which a
// hypervisor says that the interface's guest has begun to run. One thread; close() before the
// callback's owner goes.
class ArrivalWatch {
 public:
  // Interfaces that are listened to at a time; beyond, an address waits for the controller's word.
  static constexpr std::size_t kMost = 256;

  // Called once for each address that is heard; it is forgotten with that.
  using OnArrival = std::function<void(const IpAddress& floating)>;

  ArrivalWatch(boost::asio::any_io_executor executor, OnArrival on_arrival)
      : executor_(std::move(executor)), on_arrival_(std::move(on_arrival)) {}

  void want(const IpAddress& floating, unsigned interface, std::vector<IpAddress> fixed);
  void forget(const IpAddress& floating);
  void close();
  // A sentence on why some are not listened for; empty where all are.
  [[nodiscard]] std::string problem() const;

 private:
  struct Place {
    std::shared_ptr<ArrivalSocket> socket;                // null: it could not be opened
    std::map<IpAddress, std::vector<IpAddress>> waiting;  // floating -> fixed
  };

  void open(unsigned interface, Place& place);
  void heard(unsigned interface, const Heard& heard);

  boost::asio::any_io_executor executor_;
  OnArrival on_arrival_;
  std::map<unsigned, Place> places_;
  boost::unordered_flat_map<IpAddress, unsigned, AddressHash> interface_of_;
  std::string problem_;
};

}  // namespace fipd::arrival
