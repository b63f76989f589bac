// Parts in migrations: what the source does where another range of keys tells them.
#include <algorithm>
#include <utility>

#include <boost/asio/use_awaitable.hpp>

#include "daemon/sources/etcd/etcd_source.h"

namespace fipd {

namespace asio = boost::asio;

bool EtcdSource::brings_new(const EtcdWatchReply& reply) const {
  return std::any_of(reply.events.begin(), reply.events.end(), [&](const EtcdEvent& event) {
    return !event.removed && event.pair.key.starts_with(options_.keys.prefix) &&
           !records_->knows(event.pair.key);
  });
}

// Two watches say nothing of the order between them: a claim that is only to be prepared would be
// announced until the other one speaks. A part is written before its claim, so who sees the claim
// finds the part. Nobody else is at the records from the question on: an end of a part that the
// answer still has is taken after it.
asio::awaitable<Outcome> EtcdSource::learn_parts() {
  co_await begin_work();
  Reading reading;
  Outcome read = co_await read_range(range_of(options_.keys.parts_prefix), reading);
  sink_.begin_batch();
  for (EtcdPair& pair : reading.pairs) {
    EtcdEvent event;
    event.pair = std::move(pair);
    take_event(std::move(event));
  }
  sink_.end_batch();
  end_work();
  co_return read;
}

asio::awaitable<Result<EtcdRangeReply>> EtcdSource::ask(EtcdRange range) {
  while (asking_) co_await answered_.wait();
  asking_ = true;
  Result<std::string> text = co_await client_->range(std::move(range));
  asking_ = false;
  answered_.notify_all();
  if (!text) co_return fail(std::move(text).error());
  // A page is megabytes.
  auto job = [text = std::move(*text)] { return range_reply(text); };
  Result<EtcdRangeReply> reply = co_await parsing_.run(std::move(job));
  co_return reply;
}

}  // namespace fipd
