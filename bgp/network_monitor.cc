#include "bgp/network_monitor.h"

#include <linux/rtnetlink.h>

#include <cerrno>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "bgp/network_message.h"
#include "bgp/route_message.h"
#include "daemon/base/netlink_socket.h"

namespace fipd::bgp {
namespace {

constexpr unsigned kDatagramsPerTurn = 64;
// Throwing away costs half a microsecond each.
constexpr unsigned kDrainedPerTurn = 4096;

}  // namespace

// Owned by the monitor, and by the turn that is running: so the observer may destroy the monitor
// from within a call, and a handler that comes too late finds nobody.
class NetworkMonitor::Reader : public std::enable_shared_from_this<Reader> {
 public:
  Reader(boost::asio::any_io_executor executor, NetlinkSocket socket, NetworkObserver& observer)
      : socket_(std::move(socket)),
        descriptor_(std::move(executor), socket_.fd()),
        observer_(&observer) {}
  ~Reader() {
    // The descriptor is libmnl's to close.
    if (descriptor_.is_open()) descriptor_.release();
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void wait() {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [weak = weak_from_this()](const boost::system::error_code& error) {
                             const auto self = weak.lock();
                             if (error || !self || self->observer_ == nullptr) return;
                             self->turn();
                             // Whatever is left makes the descriptor ready again, after the others'
                             // turns.
                             if (self->observer_ != nullptr) self->wait();
                           });
  }

  void stop() {
    observer_ = nullptr;
    descriptor_.release();
  }

 private:
  void turn() {
    if (draining_) return drain();
    const auto more = socket_.receive(
        [this](const nlmsghdr& header) {
          dispatch(header);
          return observer_ != nullptr;
        },
        kDatagramsPerTurn);
    if (more || observer_ == nullptr) return;
    draining_ = true;
    drain();
  }

  // What is still queued is older than the loss, and the state that it tells may be revoked by what
  // was lost: only what comes after the drain may be believed.
  void drain() {
    const auto more = socket_.receive([](const nlmsghdr&) { return true; }, kDrainedPerTurn);
    const bool again = more ? *more : more.error().os_error() == ENOBUFS;
    if (again) return;
    draining_ = false;
    observer_->network_overrun();
  }

  void dispatch(const nlmsghdr& header) {
    switch (header.nlmsg_type) {
      case RTM_NEWLINK:
      case RTM_DELLINK:
        if (const auto message = decode_link(header)) tell(*message);
        break;
      case RTM_NEWADDR:
      case RTM_DELADDR:
        if (const auto message = decode_address(header)) tell(*message);
        break;
      case RTM_NEWROUTE:
      case RTM_DELROUTE:
        if (const auto message = decode_route(header); message && is_learnable(*message)) {
          tell(*message, header.nlmsg_pid);
        }
        break;
      case RTM_NEWNETCONF:
        if (const auto setting = decode_forwarding(header)) observer_->forwarding_changed(*setting);
        break;
      default:
        break;
    }
  }

  void tell(const LinkMessage& message) {
    if (message.removed) {
      observer_->link_removed(message.link.index);
    } else {
      observer_->link_changed(message.link);
    }
  }

  void tell(const AddressMessage& message) {
    if (message.removed) {
      observer_->address_removed(message.address);
    } else {
      observer_->address_added(message.address);
    }
  }

  void tell(const RouteMessage& message, std::uint32_t port) {
    RouteEvent event{.destination = message.destination};
    event.table = message.table;
    event.protocol = message.protocol;
    event.metric = message.metric;
    event.removed = message.removed;
    event.port = port;
    observer_->route_changed(event);
  }

  NetlinkSocket socket_;
  boost::asio::posix::stream_descriptor descriptor_;
  NetworkObserver* observer_;
  bool draining_ = false;
};

Result<std::unique_ptr<NetworkMonitor>> NetworkMonitor::open(
    boost::asio::any_io_executor executor, std::span<const std::uint32_t> own_ports,
    NetworkObserver& observer, int receive_buffer) {
  NetlinkOptions options;
  options.groups = {RTNLGRP_LINK,        RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                    RTNLGRP_IPV4_ROUTE,  RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_NETCONF,
                    RTNLGRP_IPV6_NETCONF};
  options.receive_buffer = receive_buffer;
  auto socket = NetlinkSocket::open(NETLINK_ROUTE, options);
  if (!socket) return fail(Error(socket.error()).within("network monitor"));
  if (const Outcome filtered = socket->ignore_events_of(own_ports); !filtered) {
    return fail(Error(filtered.error()).within("network monitor"));
  }
  auto reader = std::make_shared<Reader>(std::move(executor), std::move(*socket), observer);
  return std::unique_ptr<NetworkMonitor>(new NetworkMonitor(std::move(reader)));
}

NetworkMonitor::NetworkMonitor(std::shared_ptr<Reader> reader) : reader_(std::move(reader)) {}

NetworkMonitor::~NetworkMonitor() { reader_->stop(); }

void NetworkMonitor::start() { reader_->wait(); }

}  // namespace fipd::bgp
