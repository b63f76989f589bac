#include "daemon/sources/etcd/etcd_source.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fipd {
namespace {

namespace asio = boost::asio;

// Keys of one answer. etcd 3.4 walks over all keys of the range for each page, whatever its limit.
constexpr std::int64_t kPage = 5000;
// etcd gives a sign of life every ten minutes; the probes find out earlier.
constexpr std::chrono::minutes kSilence{15};
constexpr std::chrono::milliseconds kBetweenSaves{500};
constexpr std::size_t kToldAtOnce = 10;
constexpr std::size_t kSlice = 1000;  // events taken before others may run
// A source lives as long as the loop: its coroutines end with it.
constexpr bool kNeverStopped = false;

}  // namespace

Result<std::unique_ptr<EtcdSource>> EtcdSource::make(asio::any_io_executor executor,
                                                     Background& parsing, Background& disk,
                                                     EtcdSourceOptions options, ClaimSink& sink,
                                                     EventHub& events) {
  auto client = EtcdClient::make(executor, options.client);
  if (!client) return fail(std::move(client).error());
  return std::unique_ptr<EtcdSource>(new EtcdSource(
      std::move(executor), parsing, disk, std::move(options), std::move(*client), sink, events));
}

EtcdSource::EtcdSource(asio::any_io_executor executor, Background& parsing, Background& disk,
                       EtcdSourceOptions options, std::unique_ptr<EtcdClient> client,
                       ClaimSink& sink, EventHub& events)
    : executor_(executor),
      parsing_(parsing),
      disk_(disk),
      options_(std::move(options)),
      client_(std::move(client)),
      sink_(sink),
      events_(events),
      answered_(executor),
      idle_(executor),
      to_save_(executor),
      to_settle_(executor),
      random_(std::random_device{}()) {
  records_ = std::make_shared<EtcdRecords>(options_.keys, options_.rank, options_.settle);
  records_->set_limit(options_.max);
  report_.name = options_.keys.source;
  problem_ = "etcd has not been read yet";
  refresh_report();
}

EtcdRange EtcdSource::range_of(const std::string& prefix) {
  EtcdRange range;
  range.key = prefix;
  range.end = end_of_prefix(prefix);
  return range;
}

void EtcdSource::Round::end(Outcome outcome) {
  if (over) return;
  over = std::move(outcome);
  for (auto& each : watches) each->close();
  ended.notify_all();
}

void EtcdSource::load() {
  if (options_.snapshot.empty()) return;
  auto opened = SnapshotStore::open(options_.snapshot);
  Result<EtcdSnapshot> snapshot = EtcdSnapshot();
  if (opened) {
    store_ = std::move(*opened);
    snapshot = store_->load();
  }
  if (!opened || !snapshot) {
    store_problem_ = opened ? snapshot.error().message() : opened.error().message();
    return refresh_report();
  }
  header_ = snapshot->header;
  hand_on(records_->load(std::move(snapshot->pairs), false, options_.hold));
  refresh_report();
}

void EtcdSource::hand_on(ClaimChanges changes) {
  sink_.begin_batch();
  for (Claim& claim : changes.puts) sink_.put(std::move(claim));
  for (const auto& removal : changes.removals) sink_.remove(removal.floating, removal.origin);
  sink_.end_batch();
}

void EtcdSource::configure(const HoldRule& hold, std::size_t max) {
  reconsider_ = reconsider_ || hold != options_.hold || max != options_.max;
  options_.hold = hold;
  options_.max = max;
}

asio::awaitable<void> EtcdSource::run() {
  asio::steady_timer timer(executor_);
  for (;;) {
    const Outcome over = co_await follow();
    note(over);
    timer.expires_after(pause());
    co_await timer.async_wait(asio::use_awaitable);
  }
}

// A failure is told once, and so is its end.
void EtcdSource::note(const Outcome& outcome) {
  if (!outcome) ++failures_;
  const std::string problem = outcome ? std::string() : outcome.error().message();
  if (problem != problem_) {
    tell("source", problem.empty() ? "answers" : problem);
  }
  problem_ = problem;
  refresh_report();
}

void EtcdSource::tell(const std::string& kind, const std::string& text) {
  events_.publish(kind, std::nullopt, fmt::format("{}: {}", options_.keys.source, text));
}

std::chrono::milliseconds EtcdSource::pause() {
  if (failures_ == 0) return std::chrono::milliseconds(0);
  const auto longest =
      std::min(options_.retry_max, options_.retry_min * (1 << std::min(failures_, 10U)));
  // All hosts lose etcd at the same moment, and must not come back so.
  std::uniform_int_distribution<std::int64_t> share(longest.count() / 2, longest.count());
  return std::chrono::milliseconds(share(random_));
}

// Reads, then watches. Success: something calls for reading anew.
asio::awaitable<Outcome> EtcdSource::follow() {
  using asio::experimental::awaitable_operators::operator&&;
  Result<Reading> reading = co_await read();
  if (!reading) co_return fail(std::move(reading).error());
  const std::int64_t since = reading->header.revision + 1;
  co_await take(std::move(*reading));
  Round round(executor_);
  EtcdRange claims = range_of(options_.keys.prefix);
  claims.revision = since;
  Outcome watched = co_await watch(claims, round);
  if (watched && has_parts()) {
    EtcdRange parts = range_of(options_.keys.parts_prefix);
    parts.revision = since;
    watched = co_await watch(parts, round);
  }
  if (!watched) co_return watched;
  failures_ = 0;
  note(success());
  // None is cancelled in the middle of what it does: each ends the others by their own means.
  if (has_parts()) {
    co_await (pump(round, *round.watches[0]) && pump(round, *round.watches[1]) && probe(round));
  } else {
    co_await (pump(round, *round.watches[0]) && probe(round));
  }
  co_return std::move(*round.over);
}

asio::awaitable<Outcome> EtcdSource::watch(const EtcdRange& range, Round& round) {
  auto begun = co_await client_->watch(range);
  if (!begun) co_return fail(std::move(begun).error());
  round.watches.push_back(std::move(*begun));
  co_return success();
}

// All pages at the revision of the first; parts come before the claims that they are about.
asio::awaitable<Result<EtcdSource::Reading>> EtcdSource::read() {
  Reading reading;
  Outcome read = success();
  if (has_parts()) read = co_await read_range(range_of(options_.keys.parts_prefix), reading);
  if (read) read = co_await read_range(range_of(options_.keys.prefix), reading);
  if (!read) co_return fail(std::move(read).error());
  if (!has_word()) co_return reading;
  EtcdRange ready;
  ready.key = options_.keys.ready;
  ready.revision = reading.header.revision;
  Result<EtcdRangeReply> word = co_await ask(ready);
  if (!word) co_return fail(std::move(word).error());
  if (!word->pairs.empty()) reading.ready = word->pairs.front().revision;
  co_return reading;
}

// Where values are so long that a page is too large, pages are made smaller.
asio::awaitable<Outcome> EtcdSource::read_range(EtcdRange page, Reading& reading) {
  page.limit = kPage;
  for (;;) {
    page.revision = reading.header.revision;
    Result<EtcdRangeReply> reply = co_await ask(page);
    const bool too_large = !reply && reply.error().code() == ErrorCode::kLimit;
    if (too_large && page.limit > 1) {
      page.limit = std::max<std::int64_t>(1, page.limit / 10);
      continue;
    }
    if (!reply) co_return fail(std::move(reply).error());
    if (page.revision == 0) reading.header = reply->header;
    std::move(reply->pairs.begin(), reply->pairs.end(), std::back_inserter(reading.pairs));
    if (!reply->more || reply->pairs.empty()) co_return success();
    page.key = reading.pairs.back().key + '\0';
  }
}

asio::awaitable<void> EtcdSource::begin_work() {
  while (working_) co_await idle_.wait();
  working_ = true;
}

void EtcdSource::end_work() {
  working_ = false;
  review_trust();
  idle_.notify_all();
  refresh_report();
}

void EtcdSource::check_cluster(const Reading& reading) {
  const bool known = header_.revision != 0;
  if (known &&
      (reading.header.cluster != header_.cluster || reading.header.revision < header_.revision)) {
    if (!distrust_) trusted_ = header_;
    distrust_ = reading.header.revision;
    tell("source", fmt::format("it was wiped or restored; nothing is removed until {}",
                               has_word() ? "its controller says that it is complete"
                                          : "all its keys are back, or 'fipctl accept'"));
    if (restored_) restored_();
  }
  if (distrust_ && reading.ready > *distrust_) distrust_.reset();
}

// Whatever etcd answers tells how far it is, although nothing of ours changed: it may be restored
// to before that and written to again until it is beyond the last change that we took.
void EtcdSource::note_seen(const EtcdHeader& header) {
  if (header.cluster != header_.cluster) return;
  header_.revision = std::max(header_.revision, header.revision);
}

// Where nobody says that etcd is complete, it is once no floating IP that we know is missing. A key
// that is, and claims none, has no say in that, and goes then: a migration that has ended.
void EtcdSource::review_trust() {
  if (!read_) return;
  if (distrust_ && !has_word() && records_->held() == 0) {
    distrust_.reset();
    hand_on(records_->let_go(EtcdRecords::Clock::now()));
    unsaved_.whole = true;
  }
  const bool trusted = !distrust_ && (!has_word() || ready_read_ != 0);
  if (trusted && !complete_) sink_.set_complete(options_.rank);
  complete_ = complete_ || trusted;
}

asio::awaitable<void> EtcdSource::take(Reading reading) {
  co_await begin_work();
  // Not before: whoever ends other work would look at the old records, which lack nothing.
  check_cluster(reading);
  const bool trusted = !distrust_ && (!has_word() || reading.ready != 0);
  reconsider_ = false;
  auto job = [records = records_, pairs = std::move(reading.pairs), trusted, hold = options_.hold,
              most = options_.max]() mutable {
    records->set_limit(most);
    return records->load(std::move(pairs), trusted, hold, EtcdRecords::Clock::now());
  };
  ClaimChanges changes = co_await parsing_.run(std::move(job));
  const std::size_t held = records_->held();
  co_await deliver(std::move(changes), sink_, executor_, kNeverStopped);
  header_ = reading.header;
  ready_read_ = reading.ready;
  read_ = true;
  unsaved_ = Unsaved();
  unsaved_.whole = true;
  end_work();
  to_save_.notify_all();
  to_settle_.notify_all();
  if (trusted && held > 0) {
    tell("held", fmt::format("{} floating IPs are missing: they stay until 'fipctl accept', or "
                             "until their keys are back",
                             held));
  }
}

asio::awaitable<void> EtcdSource::pump(Round& round, EtcdClient::Watch& watch) {
  Outcome outcome = co_await take_all(watch);
  round.end(std::move(outcome));
}

asio::awaitable<Outcome> EtcdSource::take_all(EtcdClient::Watch& watch) {
  for (;;) {
    Result<EtcdWatchReply> reply = co_await watch.next(kSilence);
    if (!reply) co_return fail(std::move(reply).error());
    if (reply->canceled && reply->compacted != 0) co_return success();
    if (reply->canceled) {
      co_return fail(ErrorCode::kUnavailable, "the watch was ended: {}", reply->reason);
    }
    Outcome taken = co_await take(std::move(*reply));
    if (!taken) co_return taken;
  }
}

// In the order of the events: a message may hold several revisions of one key.
asio::awaitable<Outcome> EtcdSource::take(EtcdWatchReply reply) {
  if (reply.events.empty()) {
    note_seen(reply.header);
    co_return success();
  }
  if (has_parts() && brings_new(reply)) {
    Outcome learned = co_await learn_parts();
    if (!learned) co_return learned;
  }
  co_await begin_work();
  sink_.begin_batch();
  std::size_t done = 0;
  for (EtcdEvent& event : reply.events) {
    take_event(std::move(event));
    if (++done % kSlice == 0) co_await asio::post(executor_, asio::use_awaitable);
  }
  sink_.end_batch();
  note_seen(reply.header);
  end_work();
  to_save_.notify_all();
  to_settle_.notify_all();
  co_return success();
}

void EtcdSource::take_event(EtcdEvent event) {
  const auto in_force = [&] {
    return event.removed ? !records_->knows(event.pair.key) : records_->holds(event.pair);
  };
  const bool before = in_force();
  hand_on(records_->apply(event, EtcdRecords::Clock::now()));
  // On disk is what is in force: not a bad value, nor a removal that has to settle.
  const bool news = !before && in_force();
  if (news && !unsaved_.whole) unsaved_.events.push_back(std::move(event));
}

asio::awaitable<void> EtcdSource::run_removals() {
  for (;;) {
    co_await begin_work();
    std::vector<std::string> gone;
    ClaimChanges changes = records_->settled(EtcdRecords::Clock::now(), gone);
    co_await deliver(std::move(changes), sink_, executor_, kNeverStopped);
    for (std::string& key : gone) {
      EtcdEvent event;
      event.removed = true;
      event.pair.key = std::move(key);
      if (!unsaved_.whole) unsaved_.events.push_back(std::move(event));
    }
    const auto due = records_->due();
    end_work();
    if (!gone.empty()) to_save_.notify_all();
    co_await to_settle_.wait(due.value_or(Signal::Clock::time_point::max()));
  }
}

asio::awaitable<void> EtcdSource::probe(Round& round) {
  const std::string endpoint = client_->endpoint();
  while (!round.over) {
    co_await round.ended.wait(Signal::Clock::now() + options_.probe);
    if (round.over) co_return;
    bool well = true;
    Outcome outcome = co_await look(well);
    // Another one answered: the watch may hang on one that is dead.
    if (!well || client_->endpoint() != endpoint) round.end(std::move(outcome));
  }
}

// Whether the watch may go on.
asio::awaitable<Outcome> EtcdSource::look(bool& well) {
  EtcdRange ready;
  ready.key = has_word() ? options_.keys.ready : options_.keys.prefix;  // what we may read
  const std::int64_t known = header_.revision;
  Result<EtcdRangeReply> reply = co_await ask(ready);
  well = reply && reply->header.cluster == header_.cluster && reply->header.revision >= known;
  if (!reply) co_return fail(std::move(reply).error());
  if (well) note_seen(reply->header);
  const std::int64_t word = reply->pairs.empty() ? 0 : reply->pairs.front().revision;
  if (has_word() && (distrust_ || !complete_) && word > ready_read_) well = false;
  // What was refused or held may be no more: by a new setting, or because something has gone.
  if (reconsider_ || records_->has_room()) well = false;
  co_return success();
}

asio::awaitable<void> EtcdSource::run_saves() {
  asio::steady_timer timer(executor_);
  auto header_due = Signal::Clock::now() + options_.save_header;
  for (;;) {
    const bool news = unsaved_.whole || !unsaved_.events.empty();
    const auto due = store_ && read_ ? header_due : Signal::Clock::time_point::max();
    if (!store_ || (!news && Signal::Clock::now() < due)) {
      co_await to_save_.wait(due);
      continue;
    }
    header_due = Signal::Clock::now() + options_.save_header;
    co_await begin_work();
    Unsaved now = std::exchange(unsaved_, {});
    EtcdSnapshot snapshot;
    // A start is to find out, too, that etcd was wiped or restored.
    snapshot.header = distrust_ ? trusted_ : header_;
    if (now.whole) {
      auto copy = [records = records_] { return records->pairs(); };
      snapshot.pairs = co_await disk_.run(std::move(copy));
    }
    end_work();
    auto job = [&store = *store_, now = std::move(now), snapshot = std::move(snapshot)] {
      return now.whole ? store.replace(snapshot) : store.apply(snapshot.header, now.events);
    };
    const Outcome saved = co_await disk_.run(std::move(job));
    store_problem_ = saved ? std::string() : saved.error().message();
    // What was not written is written with the whole, later.
    if (!saved) unsaved_.whole = true;
    refresh_report();
    timer.expires_after(saved ? kBetweenSaves : 20 * kBetweenSaves);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<std::size_t> EtcdSource::accept() {
  co_await begin_work();
  if (!has_word()) distrust_.reset();
  ClaimChanges changes = records_->accept();
  const std::size_t count = changes.removals.size();
  co_await deliver(std::move(changes), sink_, executor_, kNeverStopped);
  unsaved_.whole = true;
  end_work();
  to_save_.notify_all();
  co_return count;
}

// Of many at once, the first are told one by one; all are in the listing.
void EtcdSource::note_refused(std::vector<RefusedWord> refused) {
  std::vector<RefusedWord> news;
  std::set_difference(refused.begin(), refused.end(), refused_.begin(), refused_.end(),
                      std::back_inserter(news));
  for (std::size_t i = 0; i < std::min(news.size(), kToldAtOnce); ++i) {
    events_.publish("source", news[i].floating,
                    fmt::format("refused, {}: {}", news[i].source, news[i].reason));
  }
  if (news.size() > kToldAtOnce) {
    tell("source", fmt::format("and {} more are refused", news.size() - kToldAtOnce));
  }
  refused_ = std::move(refused);
}

void EtcdSource::refresh_report() {
  if (working_) return;
  report_.complete = complete_;
  report_.claims = records_->size();
  report_.held = records_->held();
  report_.problems = records_->problems();
  note_refused(records_->refused());
  if (!store_problem_.empty()) report_.problems.insert(report_.problems.begin(), store_problem_);
  if (!problem_.empty()) report_.problems.insert(report_.problems.begin(), problem_);
}

}  // namespace fipd
