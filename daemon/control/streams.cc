#include "daemon/control/streams.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include "daemon/control/render.h"

namespace fipd::control {

namespace {
constexpr std::size_t kPieceBytes = 32 << 10;
}

boost::asio::awaitable<std::string> ListingSource::next() { co_return next_piece(); }

std::string ListingSource::next_piece() {
  if (ended_) return {};
  std::string piece;
  piece.reserve(kPieceBytes + 1024);
  if (!begun_) piece += "{\"floating_ips\": [";
  begun_ = true;
  for (; at_ < addresses_.size() && piece.size() < kPieceBytes; ++at_) {
    // Gone since the listing began: then there are no rows.
    std::vector<FloatingIpReport> rows = service_.rows(addresses_[at_]);
    if (counters_ && !rows.empty()) rows.front().traffic = service_.traffic(addresses_[at_]);
    for (const FloatingIpReport& row : rows) append(row, piece);
  }
  if (at_ == addresses_.size()) {
    for (const FloatingIpReport& row : service_.nameless_rows()) append(row, piece);
    piece += "\n]}\n";
    ended_ = true;
  }
  return piece;
}

void ListingSource::append(const FloatingIpReport& row, std::string& piece) {
  piece += first_row_ ? "\n" : ",\n";
  first_row_ = false;
  piece += boost::json::serialize(to_json(row));
}

EventSource::EventSource(const boost::asio::any_io_executor& executor, EventHub& hub,
                         std::size_t limit)
    : wake_(executor), limit_(limit) {
  subscription_ = hub.subscribe([this](const Event& event) { take(event); });
}

void EventSource::take(const Event& event) {
  if (ended_) return;
  std::string line = boost::json::serialize(to_json(event));
  line += '\n';
  unsent_ += line.size();
  if (unsent_ > limit_) {
    ended_ = true;
    if (cut_off_) cut_off_();
  } else {
    waiting_ += line;
  }
  wake_.cancel();
}

boost::asio::awaitable<std::string> EventSource::next() {
  unsent_ = waiting_.size();  // what was given before has been sent
  while (waiting_.empty() && !ended_) {
    wake_.expires_at(boost::asio::steady_timer::time_point::max());
    boost::system::error_code cancelled;
    co_await wake_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, cancelled));
  }
  if (ended_) co_return std::string();
  co_return std::exchange(waiting_, std::string());
}

void EventSource::cancel() {
  ended_ = true;
  subscription_ = EventHub::Subscription();
  wake_.cancel();
}

}  // namespace fipd::control
