#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/base/background.h"
#include "daemon/base/result.h"
#include "daemon/observe/events.h"
#include "daemon/observe/refused_words.h"
#include "daemon/observe/report.h"
#include "daemon/sources/claim_sink.h"

namespace fipd {

struct FilesOptions {
  std::filesystem::path directory = "/etc/fipd/floating-ips.d";
  unsigned rank = 1;
  double hold_share = 0.5;
  unsigned hold_above = 10;
  std::size_t max = 250000;  // floating IPs in all files together
  // A closed file is read after so long; one that a scan finds must be unchanged for so long.
  std::chrono::milliseconds settle{50};
  std::chrono::milliseconds quiet{1000};
  // Between looks at what could not be read, and at whether the directory is still the same.
  std::chrono::milliseconds retry{5000};
};

// The source "files": *.toml of a directory, watched by inotify. A file that cannot be read or
// parsed keeps what it said last; a missing directory removes nothing. What is missing in a
// directory that was lost and made anew waits for accept(), as does a mass removal. On the event
// loop's thread; reads on `background`. After its destruction it touches neither sink nor hub.
class FilesSource {
 public:
  FilesSource(boost::asio::any_io_executor executor, Background& background, FilesOptions options,
              ClaimSink& sink, EventHub& events);
  FilesSource(const FilesSource&) = delete;
  FilesSource& operator=(const FilesSource&) = delete;
  ~FilesSource();

  void start();
  // For good: from here on it touches neither sink nor hub, and only tells what it told last.
  void stop();
  // Takes over hold_share, hold_above and max; the rest needs another FilesSource.
  void apply(const FilesOptions& options);
  [[nodiscard]] SourceReport report() const;
  // Files that cannot be taken, sorted.
  [[nodiscard]] const std::vector<RefusedWord>& refused() const;
  // Carries out the held removals. How many; kUnavailable where the source ended meanwhile.
  boost::asio::awaitable<Result<std::size_t>> accept();

 private:
  class Worker;
  std::shared_ptr<Worker> worker_;
};

}  // namespace fipd
