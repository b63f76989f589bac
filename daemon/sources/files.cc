#include "daemon/sources/files.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>

#include "daemon/base/signal.h"
#include "daemon/sources/binding_file.h"
#include "daemon/sources/directory_watch.h"
#include "daemon/sources/file_claims.h"
#include "daemon/sources/file_notes.h"

namespace fipd {
namespace {

using boost::asio::awaitable;
using Clock = FileNotes::Clock;

constexpr std::size_t kMaxProblems = 20;

struct FoundFile {
  std::string name;
  FileStamp stamp;  // zeros where it cannot be had
};

Result<std::vector<FoundFile>> list_files(const std::filesystem::path& directory) {
  std::error_code error;
  std::vector<FoundFile> found;
  std::filesystem::directory_iterator at(directory, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!is_binding_file_name(name)) continue;
    found.push_back({name, stamp_of(at->path()).value_or(FileStamp{})});
  }
  if (error) {
    return fail_errno(error.value(), directory.string(), ErrorCode::kUnavailable);
  }
  return found;
}

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

}  // namespace

// Two coroutines keep it alive: one waits for inotify, the other does all the work, one pass after
// another. `stopped_` is looked at after every wait: then sink and hub may be gone.
class FilesSource::Worker : public std::enable_shared_from_this<Worker> {
 public:
  Worker(boost::asio::any_io_executor executor, Background& background, FilesOptions options,
         ClaimSink& sink, EventHub& events)
      : executor_(executor),
        background_(background),
        options_(std::move(options)),
        sink_(sink),
        events_(events),
        watch_(executor),
        wake_(executor),
        answered_(executor),
        notes_(options_.settle, options_.quiet),
        claims_(std::make_shared<FileClaims>(options_.rank, options_.max)) {
    report_.name = "files";
  }

  void start() { boost::asio::co_spawn(executor_, work(shared_from_this()), rethrow); }

  void stop() {
    stopped_ = true;
    watch_.close();
    wake_.notify_all();
    answered_.notify_all();
  }

  void apply(const FilesOptions& options) {
    options_.hold_share = options.hold_share;
    options_.hold_above = options.hold_above;
    options_.max = options.max;
    reconsider_ = true;
    wake_.notify_all();
  }

  [[nodiscard]] const SourceReport& report() const { return report_; }
  [[nodiscard]] const std::vector<RefusedWord>& refused() const { return refused_; }

  static awaitable<Result<std::size_t>> accept(std::shared_ptr<Worker> self) {
    const auto wish = std::make_shared<Wish>();
    self->wishes_.push_back(wish);
    self->wake_.notify_all();
    while (!wish->done && !self->stopped_) co_await self->answered_.wait();
    if (wish->done) co_return wish->removed;
    Result<std::size_t> ended = fail(ErrorCode::kUnavailable, "files: the source has ended");
    co_return ended;
  }

 private:
  struct Known {
    FileStamp stamp;
    bool good = false;   // was read at least once
    bool retry = false;  // without a change of its stamp
    std::string problem;
  };
  struct Wish {
    bool done = false;
    std::size_t removed = 0;
  };
  using Reads = std::vector<std::pair<FileNotes::Due, BindingFile>>;

  static awaitable<void> watch(std::shared_ptr<Worker> self) {
    Worker* raw = self.get();
    DirectoryWatch::OnNote on_note = [raw](DirectoryWatch::Note note, std::string_view name) {
      raw->note(note, name);
    };
    while (!self->stopped_) {
      const bool open = co_await self->watch_.next(on_note);
      if (!open || self->stopped_) co_return;
      self->wake_.notify_all();
    }
  }

  static awaitable<void> work(std::shared_ptr<Worker> self) {
    while (!self->stopped_) {
      co_await self->pass();
      if (self->stopped_) co_return;
      if (!self->busy()) co_await self->wake_.wait(self->next_look());
    }
  }

  [[nodiscard]] bool busy() const { return rescan_ || reconsider_ || !wishes_.empty(); }
  [[nodiscard]] Clock::time_point next_look() const { return std::min(notes_.next(), next_check_); }

  void note(DirectoryWatch::Note note, std::string_view name) {
    using Note = DirectoryWatch::Note;
    if (note == Note::kLost) lost_ = true;
    if (note == Note::kLost || note == Note::kOverflow) {
      notes_.clear();
      rescan_ = true;
    } else if (is_binding_file_name(name)) {
      notes_.note(note, name, Clock::now());
    } else if (note == Note::kWritten) {
      // Some deploy by turning one link, which every *.toml here is a link into.
      rescan_ = true;
    }
  }

  awaitable<void> pass() {
    const Clock::time_point now = Clock::now();
    if (now >= next_check_ || !watch_.attached()) {
      next_check_ = now + options_.retry;
      attach();
      rescan_ = rescan_ || scan_failed_ || !complete_ || has_problem();
    }
    if (rescan_ && watch_.attached()) co_await scan();
    if (stopped_) co_return;
    rescan_ = rescan_ && watch_.attached();

    Reads reads = co_await read_due();
    if (stopped_) co_return;
    std::vector<FileUpdate> updates = judge(std::move(reads));
    if (!updates.empty() || std::exchange(reconsider_, false)) {
      co_await take_over(std::move(updates));
      if (stopped_) co_return;
    }
    if (!wishes_.empty()) co_await fulfil();
    if (stopped_) co_return;
    finish();
  }

  // Watches the directory that is there now.
  void attach() {
    if (!open_) {
      const Outcome opened = watch_.open();
      if (!opened) return directory_problem(opened.error().message());
      open_ = true;
      boost::asio::co_spawn(executor_, watch(shared_from_this()), rethrow);
    }
    const Result<bool> attached = watch_.attach(options_.directory);
    if (!attached) {
      lost_ = lost_ || scanned_;
      missing_at_start_ = missing_at_start_ || !scanned_;
      // Soon, because files that are put into it are waited for.
      next_check_ = Clock::now() + std::min(options_.retry, std::chrono::milliseconds(1000));
      return directory_problem(attached.error().message() +
                               ": make it readable; until then nothing is added or removed");
    }
    if (!scan_failed_) directory_problem("");
    if (!*attached) return;
    notes_.clear();
    rescan_ = true;
    swapped_ = scanned_;
    complete_after_ = Clock::now();
    if (missing_at_start_) complete_after_ += options_.retry;
  }

  void directory_problem(std::string problem) {
    if (problem == directory_problem_) return;
    if (!problem.empty()) events_.publish("source", std::nullopt, "files: " + problem);
    directory_problem_ = std::move(problem);
  }

  [[nodiscard]] bool has_problem() const {
    const auto bad = [](const auto& file) { return !file.second.problem.empty(); };
    return std::any_of(known_.begin(), known_.end(), bad);
  }

  // Notes what differs from what was read last.
  awaitable<void> scan() {
    rescan_ = false;
    auto list = [directory = options_.directory] { return list_files(directory); };
    const Result<std::vector<FoundFile>> found = co_await background_.run(std::move(list));
    if (stopped_) co_return;
    scan_failed_ = !found;
    directory_problem(found ? "" : found.error().message());
    if (!found) co_return;
    const Clock::time_point now = Clock::now();
    std::map<std::string_view, bool> present;
    for (const FoundFile& file : *found) {
      present[file.name] = true;
      const auto known = known_.find(file.name);
      const bool same = known != known_.end() && known->second.stamp == file.stamp;
      if (!same || known->second.retry) notes_.scanned(file.name, now);
    }
    for (const auto& [name, known] : known_) {
      if (!present.contains(name)) notes_.scanned(name, now);
    }
    // A directory that was away, or that is another one and empty, is no word on what was there.
    if (std::exchange(lost_, false) || (swapped_ && found->empty())) claims_->distrust();
    swapped_ = false;
    scanned_ = true;
  }

  // One file a job: the thread serves others, too.
  awaitable<Reads> read_due() {
    Reads reads;
    if (!watch_.attached()) co_return reads;
    for (FileNotes::Due& due : notes_.take(Clock::now())) {
      auto job = [path = options_.directory / due.name, age = due.age] {
        return read_binding_file(path, age);
      };
      BindingFile file = co_await background_.run(std::move(job));
      if (stopped_) co_return reads;
      reads.emplace_back(std::move(due), std::move(file));
    }
    co_return reads;
  }

  // What the reads mean for the claims. A file that is gone with its directory means nothing.
  std::vector<FileUpdate> judge(Reads reads) {
    const auto gone = [](const auto& read) { return read.second.gone; };
    if (std::any_of(reads.begin(), reads.end(), gone)) attach();
    const bool trust = !lost_ && watch_.attached() && !swapped_;
    std::vector<FileUpdate> updates;
    for (auto& [due, file] : reads) {
      const std::string path = (options_.directory / due.name).string();
      if (file.gone) {
        if (!trust) continue;
        known_.erase(due.name);
        updates.push_back({path, nullptr, 0});
      } else if (file.unsettled) {
        notes_.again(due, Clock::now());
      } else {
        judge_content(due.name, path, std::move(file), updates);
      }
    }
    return updates;
  }

  void judge_content(const std::string& name, const std::string& path, BindingFile file,
                     std::vector<FileUpdate>& updates) {
    Known& known = known_[name];
    known.stamp = file.stamp;
    known.retry = !file.content && file.content.error().code() == ErrorCode::kUnavailable;
    if (file.content) {
      known.good = true;
      file_problem(name, "");
      updates.push_back({path, *std::move(file.content), file.stamp.modified});
    } else {
      file_problem(name, file.content.error().message());
    }
  }

  void file_problem(const std::string& name, const std::string& problem) {
    Known& known = known_[name];
    if (known.problem == problem) return;
    const std::string text = problem.empty() ? name + " is in order again"
                                             : fmt::format("{}{}", problem, kEarlierInForce);
    events_.publish("source", std::nullopt, "files: " + text);
    known.problem = problem;
  }

  awaitable<void> take_over(std::vector<FileUpdate> updates) {
    const HoldRule rule{options_.hold_share, options_.hold_above};
    auto job = [claims = claims_, updates = std::move(updates), rule, limit = options_.max] {
      claims->set_limit(limit);
      return claims->update(updates, rule);
    };
    FileChanges changes = co_await background_.run(std::move(job));
    if (stopped_) co_return;
    for (const std::string& path : changes.too_large) {
      const std::string name = std::filesystem::path(path).filename().string();
      known_[name].retry = true;
      known_[name].good = false;
      file_problem(name, fmt::format("{}: with it there would be more than {} floating IPs: raise "
                                     "limits.floating_ips",
                                     name, options_.max));
    }
    co_await deliver(std::move(changes), sink_, executor_, stopped_);
  }

  awaitable<void> fulfil() {
    const std::vector<std::shared_ptr<Wish>> wishes = std::exchange(wishes_, {});
    auto job = [claims = claims_] { return claims->accept(); };
    ClaimChanges changes = co_await background_.run(std::move(job));
    if (stopped_) co_return;
    wishes.front()->removed = changes.removals.size();
    co_await deliver(std::move(changes), sink_, executor_, stopped_);
    for (const auto& wish : wishes) wish->done = true;
    answered_.notify_all();
  }

  void finish() {
    const std::size_t held = claims_->held();
    if (held > report_.held) {
      events_.publish("held", std::nullopt,
                      fmt::format("files: {} of {} floating IPs are missing in {}: they stay until "
                                  "'fipctl accept', or until the files are back",
                                  held, claims_->size(), options_.directory.string()));
    }
    const auto good = [](const auto& file) { return file.second.good; };
    const bool whole = scanned_ && !rescan_ && !scan_failed_ && !lost_ && watch_.attached() &&
                       notes_.empty() && Clock::now() >= complete_after_ &&
                       std::all_of(known_.begin(), known_.end(), good);
    if (whole && !complete_) {
      complete_ = true;
      sink_.set_complete(options_.rank);
    }
    report_.complete = complete_;
    report_.claims = claims_->size();
    report_.held = held;
    report_.problems.clear();
    if (!directory_problem_.empty()) report_.problems.push_back(directory_problem_);
    refused_.clear();
    for (const auto& [name, known] : known_) {
      if (known.problem.empty()) continue;
      if (report_.problems.size() < kMaxProblems) report_.problems.push_back(known.problem);
      if (refused_.size() < kMostRefusedWords) refused_.push_back(refused(name, known));
    }
    std::sort(refused_.begin(), refused_.end());
  }

  // One mistake refuses its whole file, whatever floating IP it is about.
  [[nodiscard]] RefusedWord refused(const std::string& name, const Known& known) const {
    RefusedWord word;
    word.source = origin_of_file((options_.directory / name).string());
    word.reason = known.problem;
    if (known.good) word.reason += kEarlierInForce;
    return word;
  }

  boost::asio::any_io_executor executor_;
  Background& background_;
  FilesOptions options_;
  ClaimSink& sink_;
  EventHub& events_;
  DirectoryWatch watch_;
  Signal wake_;
  Signal answered_;
  FileNotes notes_;
  // On the background thread while a job is under way; the one who works waits for it.
  std::shared_ptr<FileClaims> claims_;
  std::map<std::string, Known> known_;
  std::vector<std::shared_ptr<Wish>> wishes_;
  SourceReport report_;
  std::vector<RefusedWord> refused_;
  std::string directory_problem_;
  Clock::time_point next_check_{};
  Clock::time_point complete_after_{};
  bool open_ = false;  // inotify is
  bool stopped_ = false;
  bool scanned_ = false;  // at least once
  bool rescan_ = true;
  bool scan_failed_ = false;  // the last one: what it was to find is still unknown
  bool lost_ = false;         // the directory was away
  bool swapped_ = false;      // another directory is at its path
  bool missing_at_start_ = false;
  bool reconsider_ = false;
  bool complete_ = false;
};

FilesSource::FilesSource(boost::asio::any_io_executor executor, Background& background,
                         FilesOptions options, ClaimSink& sink, EventHub& events)
    : worker_(std::make_shared<Worker>(executor, background, std::move(options), sink, events)) {}

FilesSource::~FilesSource() { stop(); }

void FilesSource::start() { worker_->start(); }

void FilesSource::stop() { worker_->stop(); }

void FilesSource::apply(const FilesOptions& options) { worker_->apply(options); }

SourceReport FilesSource::report() const { return worker_->report(); }

const std::vector<RefusedWord>& FilesSource::refused() const { return worker_->refused(); }

boost::asio::awaitable<Result<std::size_t>> FilesSource::accept() {
  return Worker::accept(worker_);
}

}  // namespace fipd
