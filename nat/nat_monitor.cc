#include "nat/nat_monitor.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <utility>

#include <boost/asio/post.hpp>

namespace fipd::nat {

Result<std::unique_ptr<NatMonitor>> NatMonitor::open(boost::asio::any_io_executor executor,
                                                     std::string table,
                                                     std::span<const std::uint32_t> own_ports,
                                                     NatObserver& observer) {
  NetlinkOptions options;
  options.groups = {NFNLGRP_NFTABLES};
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER, options);
  if (!socket) return fail(std::move(socket.error()).within("nftables monitor"));
  if (auto filtered = socket->ignore_events_of(own_ports); !filtered) {
    return fail(std::move(filtered.error()).within("nftables monitor"));
  }
  return std::unique_ptr<NatMonitor>(
      new NatMonitor(std::move(executor), std::move(table), std::move(*socket), observer));
}

NatMonitor::NatMonitor(boost::asio::any_io_executor executor, std::string table,
                       NetlinkSocket socket, NatObserver& observer)
    : socket_(std::move(socket)),
      descriptor_(std::move(executor), socket_.fd()),
      reader_(table),
      observer_(observer) {}

NatMonitor::~NatMonitor() {
  *alive_ = false;
  // Cancels what waits, and leaves the closing to libmnl.
  descriptor_.release();
}

void NatMonitor::start() { wait(); }

void NatMonitor::mute() { socket_.leave(NFNLGRP_NFTABLES); }

void NatMonitor::unmute() {
  if (socket_.join(NFNLGRP_NFTABLES)) return;
  // Deaf from now on, and nobody to tell but by a full read.
  observer_.nat_overrun();
}

void NatMonitor::wait() {
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this, alive = alive_](const boost::system::error_code& error) {
                           if (*alive && !error) read();
                         });
}

void NatMonitor::read() {
  auto on_message = [this](const nlmsghdr& message) {
    const CommitNews news = reader_.take(message);
    if (news.to_ours) observer_.foreign_commit(*news.to_ours);
    if (news.to_neighbours) observer_.neighbours_changed();
    return true;
  };
  const auto more = socket_.receive(on_message);
  if (!more) {
    reader_.forget();
    observer_.nat_overrun();
  }
  if (!more || *more) {
    // Others on this thread first.
    boost::asio::post(descriptor_.get_executor(), [this, alive = alive_] {
      if (*alive) read();
    });
    return;
  }
  wait();
}

}  // namespace fipd::nat
