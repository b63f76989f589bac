#include "daemon/sources/claim_changes.h"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fipd {
namespace {

constexpr std::size_t kSlice = 1000;  // claims told before others may run

}  // namespace

boost::asio::awaitable<void> deliver(ClaimChanges changes, ClaimSink& sink,
                                     boost::asio::any_io_executor executor, const bool& stopped) {
  if (changes.empty()) co_return;
  std::size_t done = 0;
  sink.begin_batch();
  for (Claim& claim : changes.puts) {
    sink.put(std::move(claim));
    if (++done % kSlice != 0) continue;
    co_await boost::asio::post(executor, boost::asio::use_awaitable);
    if (stopped) co_return;
  }
  for (const ClaimChanges::Removal& removal : changes.removals) {
    sink.remove(removal.floating, removal.origin);
    if (++done % kSlice != 0) continue;
    co_await boost::asio::post(executor, boost::asio::use_awaitable);
    if (stopped) co_return;
  }
  sink.end_batch();
}

}  // namespace fipd
