#include "daemon/sources/file_notes.h"

#include <gtest/gtest.h>

namespace fipd {
namespace {

using Note = DirectoryWatch::Note;
using std::chrono::milliseconds;

class FileNotesTest : public ::testing::Test {
 protected:
  void note(Note note, int at) { notes_.note(note, "a.toml", start_ + milliseconds(at)); }
  std::size_t due(int at) { return notes_.take(start_ + milliseconds(at)).size(); }

  FileNotes::Clock::time_point start_ = FileNotes::Clock::now();
  FileNotes notes_{milliseconds(50), milliseconds(1000)};
};

TEST_F(FileNotesTest, ReadAClosedFileAfterAMoment) {
  note(Note::kWritten, 0);
  EXPECT_EQ(notes_.next(), start_ + milliseconds(50));
  EXPECT_EQ(due(49), 0U);
  EXPECT_EQ(due(50), 1U);
  EXPECT_EQ(due(5000), 0U);
}

TEST_F(FileNotesTest, LeaveAFileAloneUntilItsWriterClosesIt) {
  note(Note::kWritten, 0);
  note(Note::kBeingMade, 10);
  EXPECT_EQ(due(100000), 0U);
  // A change of its mode does not mean that it is done.
  note(Note::kAppeared, 100000);
  notes_.scanned("a.toml", start_ + milliseconds(100000));
  EXPECT_EQ(due(200000), 0U);
  note(Note::kWritten, 200000);
  EXPECT_EQ(due(200050), 1U);
}

TEST_F(FileNotesTest, GiveAFileThatAppearedTimeForItsWriter) {
  note(Note::kAppeared, 0);
  EXPECT_EQ(due(999), 0U);
  const auto due = notes_.take(start_ + milliseconds(1000));
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due[0].age, milliseconds(1000));
}

TEST_F(FileNotesTest, TakeDeleteAndCreateForOneChange) {
  note(Note::kGone, 0);
  note(Note::kAppeared, 1);
  note(Note::kBeingMade, 2);
  EXPECT_EQ(due(60), 0U);
  note(Note::kWritten, 70);
  EXPECT_EQ(due(120), 1U);
}

}  // namespace
}  // namespace fipd
