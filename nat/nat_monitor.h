#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "daemon/base/netlink_socket.h"
#include "nat/nat_table.h"
#include "nat/nft_event.h"

namespace fipd::nat {

// Tells `observer` of every commit to `table inet NAME` but those from `own_ports`
// (NftTable::ports()), which the kernel already keeps from this socket. Lives and calls on the
// executor's thread; the observer must not destroy it from within a call. Should libnftables open
// its socket anew (it does after EINTR), our own skeleton shows up here once as foreign: an idle
// check.
class NatMonitor : public NatEvents {
 public:
  [[nodiscard]] static Result<std::unique_ptr<NatMonitor>> open(
      boost::asio::any_io_executor executor, std::string table,
      std::span<const std::uint32_t> own_ports, NatObserver& observer);
  ~NatMonitor() override;
  NatMonitor(const NatMonitor&) = delete;
  NatMonitor& operator=(const NatMonitor&) = delete;

  // Events since open() are told from here on. Once.
  void start();
  void mute() override;
  void unmute() override;

 private:
  NatMonitor(boost::asio::any_io_executor executor, std::string table, NetlinkSocket socket,
             NatObserver& observer);
  void wait();
  void read();

  NetlinkSocket socket_;
  boost::asio::posix::stream_descriptor descriptor_;
  CommitReader reader_;
  NatObserver& observer_;
  // False once this is gone: a handler that was queued already must find out.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace fipd::nat
