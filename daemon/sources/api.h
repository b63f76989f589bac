#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/base/background.h"
#include "daemon/base/signal.h"
#include "daemon/control/service.h"
#include "daemon/observe/events.h"
#include "daemon/sources/claim_sink.h"
#include "daemon/sources/judgement.h"
#include "daemon/state/store_keeper.h"

namespace fipd {

struct ApiOptions {
  unsigned rank = 0;
  std::size_t most_floating_ips = 250000;
  // Between looks at a store that cannot be written; the first where a change is asked for.
  std::chrono::milliseconds look_for_change{1000};
  std::chrono::milliseconds look{5000};
};

// The bindings that the control API was given, kept in the store. One coroutine judges, stores and
// hands on: requests that arrive while the disk is busy share the next commit, and none of them can
// slip past another's judgement. While the store cannot be written, what it held is served, changes
// are refused, and report() says why. On the event loop's thread; the store's own work on `disk`.
class ApiSource {
 public:
  ApiSource(boost::asio::any_io_executor executor, Background& disk, StoreKeeper& store,
            ApiOptions options, ApiView view, ClaimSink& sink, EventHub& events);

  // Hands on what the store holds. Before run().
  [[nodiscard]] Outcome load();
  boost::asio::awaitable<void> run();

  // All of the request or nothing. Durable, and handed on, when it returns.
  boost::asio::awaitable<tl::expected<void, ChangeFailure>> change(ChangeRequest request);
  // The same without doing it: what would be put and removed.
  boost::asio::awaitable<tl::expected<ChangeRequest, ChangeFailure>> rehearse(
      ChangeRequest request);

  // Words of the daemon's own that the store shall keep; durable when it returns.
  boost::asio::awaitable<tl::expected<void, ChangeFailure>> record(std::vector<StoreChange> words);

  [[nodiscard]] SourceReport report() const;
  void configure(ApiOptions options) { options_ = options; }

 private:
  using Answer = tl::expected<void, ChangeFailure>;
  struct Pending {
    ChangeRequest request;
    std::vector<StoreChange> words;
    bool rehearsal = false;
    std::optional<Answer> answer;
  };

  boost::asio::awaitable<Answer> queue(std::shared_ptr<Pending> pending);
  boost::asio::awaitable<void> serve(std::vector<std::shared_ptr<Pending>> group);
  boost::asio::awaitable<Answer> judge(Pending& pending, Judgement& judgement);
  boost::asio::awaitable<void> hand_on(const std::vector<StoreChange>& changes);
  [[nodiscard]] Signal::Clock::time_point next_look() const;
  boost::asio::awaitable<void> look_at_store();
  boost::asio::awaitable<std::vector<StoreChange>> compare(std::vector<StoredBinding> found);
  void note(const Outcome& outcome);
  [[nodiscard]] bool stored(const IpAddress& floating) const;
  boost::asio::awaitable<void> yield_now();

  boost::asio::any_io_executor executor_;
  Background& disk_;
  StoreKeeper& store_;
  ApiOptions options_;
  ApiView view_;
  ClaimSink& sink_;
  EventHub& events_;

  std::deque<std::shared_ptr<Pending>> queue_;
  Signal arrived_;
  Signal answered_;
  std::uint64_t revision_ = 0;
  std::size_t claims_ = 0;
  std::string problem_;  // empty: the store can be written
  Signal::Clock::time_point looked_;
};

}  // namespace fipd
