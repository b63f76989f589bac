#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nat/nat_table.h"

namespace fipd::nat {

// Follows the messages of NFNLGRP_NFTABLES: each commit's changes, then its NFT_MSG_NEWGEN. Pure.
class CommitReader {
 public:
  explicit CommitReader(std::string_view table) : table_(table) {}

  // The commit that `message` ends, where it named our table in family inet.
  [[nodiscard]] std::optional<ForeignCommit> take(const nlmsghdr& message);
  // Messages were lost: what is begun will not be told to its end.
  void forget() { touched_ = false; }

 private:
  std::string table_;
  bool touched_ = false;
};

// NFT_MSG_GETGEN and its answer. Pure.
[[nodiscard]] std::vector<std::byte> generation_request(std::uint32_t sequence);
[[nodiscard]] std::optional<std::uint32_t> generation_in(const nlmsghdr& message);

}  // namespace fipd::nat
