#include "daemon/sources/api.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <boost/asio/post.hpp>

namespace fipd {
namespace {

constexpr std::size_t kSlice = 1000;        // judged or handed on before others may run
constexpr std::size_t kMostGrouped = 4096;  // requests in one commit

}  // namespace

ApiSource::ApiSource(boost::asio::any_io_executor executor, Background& disk, StoreKeeper& store,
                     ApiOptions options, ApiView view, ClaimSink& sink, EventHub& events)
    : executor_(executor),
      disk_(disk),
      store_(store),
      options_(options),
      view_(std::move(view)),
      sink_(sink),
      events_(events),
      arrived_(executor),
      answered_(executor) {}

Outcome ApiSource::load() {
  auto bindings = store_.load();
  if (!bindings) return fail(std::move(bindings).error());
  sink_.begin_batch();
  for (StoredBinding& each : *bindings) {
    revision_ = std::max(revision_, each.revision);
    sink_.put({std::move(each.binding), options_.rank, each.revision, std::string(kApiOrigin)});
  }
  claims_ = bindings->size();
  sink_.set_complete(options_.rank);
  sink_.end_batch();
  problem_ = store_.problem();
  looked_ = Signal::Clock::now();
  return {};
}

boost::asio::awaitable<void> ApiSource::run() {
  for (;;) {
    if (queue_.empty()) co_await arrived_.wait(next_look());
    if (Signal::Clock::now() >= next_look()) co_await look_at_store();
    if (queue_.empty()) continue;
    std::vector<std::shared_ptr<Pending>> group;
    while (!queue_.empty() && group.size() < kMostGrouped) {
      group.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    co_await serve(std::move(group));
    answered_.notify_all();
  }
}

boost::asio::awaitable<tl::expected<void, ChangeFailure>> ApiSource::change(ChangeRequest request) {
  auto pending = std::make_shared<Pending>();
  pending->request = std::move(request);
  Answer answer = co_await queue(std::move(pending));
  co_return answer;
}

boost::asio::awaitable<tl::expected<void, ChangeFailure>> ApiSource::record(
    std::vector<StoreChange> words) {
  auto pending = std::make_shared<Pending>();
  pending->words = std::move(words);
  Answer answer = co_await queue(std::move(pending));
  co_return answer;
}

boost::asio::awaitable<ApiSource::Answer> ApiSource::queue(std::shared_ptr<Pending> pending) {
  queue_.push_back(pending);
  arrived_.notify_all();
  while (!pending->answer) co_await answered_.wait();
  co_return std::move(*pending->answer);
}

boost::asio::awaitable<tl::expected<ChangeRequest, ChangeFailure>> ApiSource::rehearse(
    ChangeRequest request) {
  auto pending = std::make_shared<Pending>();
  pending->request = std::move(request);
  pending->rehearsal = true;
  Answer answer = co_await queue(pending);
  tl::expected<ChangeRequest, ChangeFailure> outcome = std::move(pending->request);
  if (!answer) outcome = tl::unexpected<ChangeFailure>(std::move(answer.error()));
  co_return outcome;
}

SourceReport ApiSource::report() const {
  SourceReport report;
  report.name = kApiOrigin;
  report.complete = true;
  report.claims = claims_;
  if (!problem_.empty()) report.problems.push_back(problem_);
  return report;
}

boost::asio::awaitable<void> ApiSource::serve(std::vector<std::shared_ptr<Pending>> group) {
  Judgement judgement(view_, options_.most_floating_ips);
  for (const auto& pending : group) {
    Answer verdict = co_await judge(*pending, judgement);
    if (!verdict || pending->rehearsal) pending->answer = std::move(verdict);
  }
  auto changes = std::make_shared<std::vector<StoreChange>>();
  for (const auto& pending : group) {
    if (pending->answer) continue;
    for (Binding& binding : pending->request.put) {
      changes->push_back(StoredBinding{std::move(binding), ++revision_});
    }
    for (const IpAddress& floating : pending->request.remove) {
      changes->push_back(StoreRemoval{floating});
    }
    std::move(pending->words.begin(), pending->words.end(), std::back_inserter(*changes));
  }
  Outcome committed;
  if (!changes->empty()) {
    auto work = [&store = store_, changes] { return store.commit(*changes); };
    committed = co_await disk_.run(std::move(work));
  }
  if (committed) co_await hand_on(*changes);
  if (!changes->empty()) note(committed);
  for (const auto& pending : group) {
    if (pending->answer) continue;
    if (committed) {
      pending->answer = Answer();
    } else {
      ChangeFailure refused{committed.error(), std::nullopt, "store_failed"};
      pending->answer = tl::unexpected<ChangeFailure>(std::move(refused));
    }
  }
}

Signal::Clock::time_point ApiSource::next_look() const {
  if (problem_.empty()) return Signal::Clock::time_point::max();
  return looked_ + (queue_.empty() ? options_.look : options_.look_for_change);
}

// Opening proves little: a full disk lets itself be opened. So a word is written, which also
// carries what the store lacks.
boost::asio::awaitable<void> ApiSource::look_at_store() {
  auto reopen = [&store = store_] { return store.reopen(); };
  auto found = co_await disk_.run(std::move(reopen));
  Outcome written;
  if (!found) {
    written = fail(std::move(found).error());
  } else {
    std::vector<StoreChange> lacking;
    if (*found) lacking = co_await compare(std::move(**found));
    lacking.emplace_back(StoreMeta{"writable", "yes"});
    if (*found && view_.words) {
      std::vector<StoreChange> words = view_.words();
      std::move(words.begin(), words.end(), std::back_inserter(lacking));
    }
    auto write = [&store = store_, lacking = std::move(lacking)] {
      Outcome done = store.commit(lacking);
      // What it lacks is found again by the next look.
      if (!done) store.close(done.error());
      return done;
    };
    written = co_await disk_.run(std::move(write));
  }
  note(written);
}

// A store that was away must come back as it went. Where it does not (restored from a backup,
// another disk mounted over it), no acknowledged binding is dropped: the newer revision wins, and
// what only one side has stays. Returns what the store lacks.
boost::asio::awaitable<std::vector<StoreChange>> ApiSource::compare(
    std::vector<StoredBinding> found) {
  AddressHashSet held;
  std::vector<StoreChange> lacking;
  std::size_t taken = 0;
  std::size_t count = 0;
  sink_.begin_batch();
  for (StoredBinding& each : found) {
    if (++count % kSlice == 0) co_await yield_now();
    revision_ = std::max(revision_, each.revision);
    held.insert(each.binding.floating);
    const Claim* served = view_.bindings.claim(each.binding.floating, kApiOrigin);
    if (served != nullptr && served->binding == each.binding && served->revision == each.revision) {
      continue;
    }
    if (served != nullptr && served->revision > each.revision) {
      lacking.emplace_back(StoredBinding{served->binding, served->revision});
      continue;
    }
    if (served == nullptr) ++claims_;
    ++taken;
    sink_.put({std::move(each.binding), options_.rank, each.revision, std::string(kApiOrigin)});
  }
  sink_.end_batch();
  const std::vector<IpAddress> floatings = view_.bindings.floatings();
  for (const IpAddress& floating : floatings) {
    if (++count % kSlice == 0) co_await yield_now();
    const Claim* served = view_.bindings.claim(floating, kApiOrigin);
    if (served == nullptr || held.contains(floating)) continue;
    lacking.emplace_back(StoredBinding{served->binding, served->revision});
  }
  if (taken + lacking.size() > 0) {
    events_.publish("source", std::nullopt,
                    fmt::format("api: the store came back otherwise than it went: {} binding(s) "
                                "taken from it, {} written to it",
                                taken, lacking.size()));
  }
  co_return lacking;
}

void ApiSource::note(const Outcome& outcome) {
  std::string problem = outcome ? "" : outcome.error().message();
  if (problem.empty() != problem_.empty()) {
    events_.publish("source", std::nullopt,
                    problem.empty() ? "api: the store can be written again" : "api: " + problem);
  }
  problem_ = std::move(problem);
  looked_ = Signal::Clock::now();
}

boost::asio::awaitable<void> ApiSource::hand_on(const std::vector<StoreChange>& changes) {
  sink_.begin_batch();
  std::size_t count = 0;
  for (const StoreChange& change : changes) {
    if (const auto* put = std::get_if<StoredBinding>(&change)) {
      claims_ += stored(put->binding.floating) ? 0 : 1;
      sink_.put({put->binding, options_.rank, put->revision, std::string(kApiOrigin)});
    } else if (const auto* removal = std::get_if<StoreRemoval>(&change)) {
      claims_ -= stored(removal->floating) ? 1 : 0;
      sink_.remove(removal->floating, kApiOrigin);
    }
    if (++count % kSlice == 0) co_await yield_now();
  }
  sink_.end_batch();
}

boost::asio::awaitable<ApiSource::Answer> ApiSource::judge(Pending& pending, Judgement& judgement) {
  ChangeRequest& request = pending.request;
  std::optional<ChangeFailure> refused;
  if (request.forwards) {
    tl::expected<Binding, ChangeFailure> edited = judgement.edited(*request.forwards);
    if (!edited) {
      refused = std::move(edited).error();
    } else {
      request.put.push_back(*std::move(edited));
      request.replace = true;
    }
  }
  std::size_t count = 0;
  for (auto put = request.put.begin(); put != request.put.end() && !refused; ++put) {
    refused = judgement.put(*put, request.replace);
    if (++count % kSlice == 0) co_await yield_now();
  }
  for (auto gone = request.remove.begin(); gone != request.remove.end() && !refused; ++gone) {
    refused = judgement.remove(*gone, request.must_exist);
    if (++count % kSlice == 0) co_await yield_now();
  }
  if (refused || pending.rehearsal) {
    judgement.drop();
  } else {
    judgement.accept();
  }
  Answer answer;
  if (refused) answer = tl::unexpected<ChangeFailure>(std::move(*refused));
  co_return answer;
}

bool ApiSource::stored(const IpAddress& floating) const {
  return view_.bindings.claim(floating, kApiOrigin) != nullptr;
}

boost::asio::awaitable<void> ApiSource::yield_now() {
  co_await boost::asio::post(executor_, boost::asio::use_awaitable);
}

}  // namespace fipd
