#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/base/background.h"
#include "daemon/base/signal.h"
#include "daemon/observe/events.h"
#include "daemon/observe/refused_words.h"
#include "daemon/observe/report.h"
#include "daemon/sources/claim_sink.h"
#include "daemon/sources/etcd/etcd_client.h"
#include "daemon/sources/etcd/etcd_records.h"
#include "daemon/sources/etcd/snapshot_store.h"

namespace fipd {

struct EtcdSourceOptions {
  EtcdOptions client;
  EtcdKeys keys;  // which are read, and what they say
  // How long a removed key counts still, because its writer may put it back.
  std::chrono::milliseconds settle{0};
  std::filesystem::path snapshot;  // where the last one is kept; empty: nowhere
  unsigned rank = 2;
  HoldRule hold;
  std::size_t max = 250000;
  // Whether etcd lives, is the same cluster and has not gone back in time: a watch alone would not
  // tell.
  std::chrono::milliseconds probe{5000};
  // How old the revision on disk may be while nothing of ours changes.
  std::chrono::milliseconds save_header{60000};
  std::chrono::milliseconds retry_min{200};  // doubling, with jitter
  std::chrono::milliseconds retry_max{10000};
};

// A source that reads etcd: "etcd" (docs/etcd.md), "calico" (docs/calico.md). Reads this host's
// keys at one revision, then watches from there; begins anew after whatever goes wrong. Losing etcd
// removes nothing; nor does an etcd that was wiped or restored, until its controller says that it
// is complete; where none can say so, until accept(), or until all keys are back. On the event
// loop's thread; parses on `parsing`, writes the snapshot on `disk`.
class EtcdSource {
 public:
  [[nodiscard]] static Result<std::unique_ptr<EtcdSource>> make(
      boost::asio::any_io_executor executor, Background& parsing, Background& disk,
      EtcdSourceOptions options, ClaimSink& sink, EventHub& events);

  // Hands on what etcd said last time. Before run(). What stands in the way is in report().
  void load();
  boost::asio::awaitable<void> run();
  // Carries out the removals of keys that were not put back in time.
  boost::asio::awaitable<void> run_removals();
  // Keeps the snapshot on disk up to date.
  boost::asio::awaitable<void> run_saves();

  [[nodiscard]] const SourceReport& report() const { return report_; }
  // What stands in keys and cannot be taken, sorted.
  [[nodiscard]] const std::vector<RefusedWord>& refused() const { return refused_; }
  // Carries out the held removals. How many.
  boost::asio::awaitable<std::size_t> accept();
  // Taken over with the next probe.
  void configure(const HoldRule& hold, std::size_t max);
  // Whom to tell that etcd was wiped or restored. Before run().
  void on_restored(std::function<void()> then) { restored_ = std::move(then); }

 private:
  struct Reading {
    EtcdHeader header;
    std::vector<EtcdPair> pairs;
    std::int64_t ready = 0;  // the revision of the controller's word; 0: none
  };
  // The watches and the probes beside them: the first that ends ends the others.
  struct Round {
    explicit Round(const boost::asio::any_io_executor& executor) : ended(executor) {}
    void end(Outcome outcome);

    std::vector<std::unique_ptr<EtcdClient::Watch>> watches;
    Signal ended;
    std::optional<Outcome> over;
  };
  // What is to be saved: the whole, or what came since.
  struct Unsaved {
    bool whole = false;
    std::vector<EtcdEvent> events;
  };

  EtcdSource(boost::asio::any_io_executor executor, Background& parsing, Background& disk,
             EtcdSourceOptions options, std::unique_ptr<EtcdClient> client, ClaimSink& sink,
             EventHub& events);

  boost::asio::awaitable<Outcome> follow();
  boost::asio::awaitable<Result<Reading>> read();
  boost::asio::awaitable<Outcome> read_range(EtcdRange range, Reading& reading);
  boost::asio::awaitable<void> take(Reading reading);
  boost::asio::awaitable<Outcome> watch(const EtcdRange& range, Round& round);
  boost::asio::awaitable<void> pump(Round& round, EtcdClient::Watch& watch);
  boost::asio::awaitable<Outcome> take_all(EtcdClient::Watch& watch);
  boost::asio::awaitable<Outcome> take(EtcdWatchReply reply);
  void take_event(EtcdEvent event);
  void hand_on(ClaimChanges changes);
  boost::asio::awaitable<void> probe(Round& round);
  boost::asio::awaitable<Outcome> look(bool& well);
  // Parts in migrations (etcd_parts.cc).
  [[nodiscard]] bool has_parts() const { return !options_.keys.parts_prefix.empty(); }
  [[nodiscard]] bool brings_new(const EtcdWatchReply& reply) const;
  boost::asio::awaitable<Outcome> learn_parts();
  boost::asio::awaitable<Result<EtcdRangeReply>> ask(EtcdRange range);
  boost::asio::awaitable<void> begin_work();
  void end_work();
  void note(const Outcome& outcome);
  void check_cluster(const Reading& reading);
  void note_seen(const EtcdHeader& header);
  void review_trust();
  void tell(const std::string& kind, const std::string& text);
  void refresh_report();
  void note_refused(std::vector<RefusedWord> refused);
  [[nodiscard]] bool has_word() const { return !options_.keys.ready.empty(); }
  [[nodiscard]] static EtcdRange range_of(const std::string& prefix);
  [[nodiscard]] std::chrono::milliseconds pause();

  boost::asio::any_io_executor executor_;
  Background& parsing_;
  Background& disk_;
  EtcdSourceOptions options_;
  std::unique_ptr<EtcdClient> client_;
  ClaimSink& sink_;
  EventHub& events_;

  std::shared_ptr<EtcdRecords> records_;
  bool asking_ = false;  // the client takes one question at a time
  Signal answered_;
  bool working_ = false;  // somebody is at the records, perhaps on another thread
  Signal idle_;
  std::unique_ptr<SnapshotStore> store_;
  Unsaved unsaved_;
  Signal to_save_;
  Signal to_settle_;

  EtcdHeader header_;   // the newest that we heard of
  EtcdHeader trusted_;  // the same while distrust_ holds: before etcd was wiped or restored
  bool read_ = false;   // since the start
  std::int64_t ready_read_ = 0;
  // etcd was wiped or restored, as read at this revision: nothing is removed before the
  // controller's word of a later one, or what stands for it.
  std::optional<std::int64_t> distrust_;
  std::function<void()> restored_;
  bool reconsider_ = false;  // the settings have changed since the last read
  bool complete_ = false;
  SourceReport report_;
  std::vector<RefusedWord> refused_;
  std::string problem_;
  std::string store_problem_;
  unsigned failures_ = 0;
  std::minstd_rand random_;
};

}  // namespace fipd
