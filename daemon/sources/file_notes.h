#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/sources/directory_watch.h"

namespace fipd {

// Which files of the directory are to be read, and when: after a note a file must keep still for a
// moment, and while somebody writes into it, it is left alone until it is closed. Pure.
class FileNotes {
 public:
  using Clock = std::chrono::steady_clock;
  struct Due {
    std::string name;
    std::chrono::milliseconds age;  // how long ago it must have been written
  };

  // `settle`: after a closed or renamed file. `quiet`: where nothing says that its writer is done.
  FileNotes(std::chrono::milliseconds settle, std::chrono::milliseconds quiet)
      : settle_(settle), quiet_(quiet) {}

  void note(DirectoryWatch::Note note, std::string_view name, Clock::time_point now);
  // A scan of the directory found it new or changed.
  void scanned(const std::string& name, Clock::time_point now);
  // It was not still when it was read.
  void again(const Due& due, Clock::time_point now);
  void clear() { notes_.clear(); }

  // Takes out what is due.
  [[nodiscard]] std::vector<Due> take(Clock::time_point now);
  [[nodiscard]] bool empty() const { return notes_.empty(); }
  // max() where nothing will be.
  [[nodiscard]] Clock::time_point next() const;

 private:
  struct Waiting {
    std::optional<Clock::time_point> at;  // empty: once its writer closes it
    std::chrono::milliseconds age;
  };

  std::chrono::milliseconds settle_;
  std::chrono::milliseconds quiet_;
  std::map<std::string, Waiting, std::less<>> notes_;
};

}  // namespace fipd
