#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bgp/bird_reply.h"

namespace fipd::bgp {

// A recorded conversation: what BIRD sent, and the command that each reply answers.
struct Recording {
  std::string bytes;
  std::vector<std::string> commands;  // the greeting counts as one
};

inline Recording recorded(const std::string& name) {
  const std::filesystem::path here = std::filesystem::path(__FILE__).parent_path();
  std::ifstream file(here / "bird_sessions" / name);
  EXPECT_TRUE(file) << name;
  Recording recording;
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("### > ") && line.find("[TIMEOUT") == line.npos) {
      recording.commands.push_back(line.substr(6, line.find("   [") - 6));
    } else if (line.starts_with("### <greeting>")) {
      recording.commands.push_back("greeting");
    } else if (!line.starts_with("#")) {
      recording.bytes += line + "\n";
    }
  }
  return recording;
}

inline std::vector<BirdReply> replies_in(const std::string& bytes, std::size_t piece) {
  BirdReplyReader reader;
  std::vector<BirdReply> replies;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const Outcome fed = reader.feed(std::string_view(bytes).substr(at, piece));
    EXPECT_TRUE(fed) << fed.error().message();
    if (!fed) break;
    while (auto reply = reader.take()) replies.push_back(std::move(*reply));
  }
  return replies;
}

inline BirdReply only_reply(const std::string& bytes) {
  std::vector<BirdReply> replies = replies_in(bytes, bytes.size());
  EXPECT_EQ(replies.size(), 1U);
  return replies.at(0);
}

// The reply to the first `command` of the recording.
inline BirdReply answer(const std::string& name, const std::string& command) {
  const Recording recording = recorded(name);
  const std::vector<BirdReply> replies = replies_in(recording.bytes, 4096);
  for (std::size_t i = 0; i < recording.commands.size(); ++i) {
    if (recording.commands[i] == command) return replies.at(i);
  }
  ADD_FAILURE() << "no " << command << " in " << name;
  return BirdReply("", 9999);
}

}  // namespace fipd::bgp
