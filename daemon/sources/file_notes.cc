#include "daemon/sources/file_notes.h"

#include <algorithm>

namespace fipd {

using std::chrono::milliseconds;

void FileNotes::note(DirectoryWatch::Note note, std::string_view name, Clock::time_point now) {
  using Note = DirectoryWatch::Note;
  const auto known = notes_.find(name);
  switch (note) {
    case Note::kBeingMade:
      notes_.insert_or_assign(std::string(name), Waiting{std::nullopt, milliseconds(0)});
      break;
    case Note::kAppeared:
      // A link, or a file without a name before, is whole and never closed. Anything else is still
      // being written, and says so; a change of its mode in between does not mean that it is done.
      if (known != notes_.end() && !known->second.at) break;
      notes_.insert_or_assign(std::string(name), Waiting{now + quiet_, quiet_});
      break;
    case Note::kWritten:
    case Note::kGone:
      notes_.insert_or_assign(std::string(name), Waiting{now + settle_, milliseconds(0)});
      break;
    case Note::kLost:
    case Note::kOverflow:
      notes_.clear();
      break;
  }
}

void FileNotes::scanned(const std::string& name, Clock::time_point now) {
  notes_.try_emplace(name, Waiting{now, quiet_});
}

void FileNotes::again(const Due& due, Clock::time_point now) {
  notes_.try_emplace(due.name, Waiting{now + std::max(settle_, due.age / 4), due.age});
}

std::vector<FileNotes::Due> FileNotes::take(Clock::time_point now) {
  std::vector<Due> due;
  for (auto note = notes_.begin(); note != notes_.end();) {
    const bool ripe = note->second.at && *note->second.at <= now;
    if (ripe) due.push_back({note->first, note->second.age});
    note = ripe ? notes_.erase(note) : std::next(note);
  }
  return due;
}

FileNotes::Clock::time_point FileNotes::next() const {
  Clock::time_point first = Clock::time_point::max();
  for (const auto& [name, note] : notes_) {
    if (note.at) first = std::min(first, *note.at);
  }
  return first;
}

}  // namespace fipd
