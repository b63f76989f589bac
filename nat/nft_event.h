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

// What a commit was about, as far as it concerns us.
struct CommitNews {
  std::optional<ForeignCommit> to_ours;  // it named our table in family inet
  // It added, changed or removed a table or a base chain of others. Some tools name those with
  // every commit: whoever is told looks once for many.
  bool to_neighbours = false;
};

// Follows the messages of NFNLGRP_NFTABLES: each commit's changes, then its NFT_MSG_NEWGEN. Pure.
class CommitReader {
 public:
  explicit CommitReader(std::string_view table) : table_(table) {}

  // The news of the commit that `message` ends; none for any other message.
  [[nodiscard]] CommitNews take(const nlmsghdr& message);
  // Messages were lost: what is begun will not be told to its end.
  void forget() { touched_ = neighbours_ = false; }

 private:
  std::string table_;
  bool touched_ = false;
  bool neighbours_ = false;
};

// NFT_MSG_GETGEN and its answer. Pure.
[[nodiscard]] std::vector<std::byte> generation_request(std::uint32_t sequence);
[[nodiscard]] std::optional<std::uint32_t> generation_in(const nlmsghdr& message);

}  // namespace fipd::nat
