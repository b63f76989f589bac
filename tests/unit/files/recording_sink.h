#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "daemon/sources/claim_sink.h"

namespace fipd {

// Keeps what a source claims, and looks that it keeps to the rules of the sink.
class RecordingSink : public ClaimSink {
 public:
  void put(Claim claim) override {
    ++writes;
    EXPECT_GT(depth, 0);
    const auto key = std::pair(claim.binding.floating, claim.origin);
    claims.insert_or_assign(key, std::move(claim));
  }
  void remove(const IpAddress& floating, std::string_view origin) override {
    ++writes;
    ++removals;
    EXPECT_EQ(claims.erase({floating, std::string(origin)}), 1U);
  }
  void set_complete(unsigned rank) override { complete = rank; }
  void begin_batch() override { ++depth; }
  void end_batch() override {
    --depth;
    ++batches;
  }

  std::map<std::pair<IpAddress, std::string>, Claim> claims;
  std::optional<unsigned> complete;
  int depth = 0;
  int batches = 0;
  std::size_t writes = 0;
  std::size_t removals = 0;
};

}  // namespace fipd
