#include "nat/nft_event.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <gtest/gtest.h>

#include "bytes.h"

namespace fipd::nat {
namespace {

std::vector<std::byte> message(unsigned type, unsigned family, const std::string& attributes) {
  auto out = from_hex(std::string(2 * (NLMSG_HDRLEN + 4), '0') + attributes);
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(out.size());
  header.nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type);
  std::memcpy(out.data(), &header, sizeof header);
  out[NLMSG_HDRLEN] = static_cast<std::byte>(family);
  return out;
}

constexpr const char* kFipd = "09000100 6669706400 000000";
constexpr const char* kOther = "0a000100 666970643200 0000";  // "fipd2"
// Generation 42, pid 4711, name "nft".
constexpr const char* kGeneration = "08000100 0000002a 08000200 00001267 08000300 6e667400";

TEST(CommitReader, NamesWhoCommittedToOurTable) {
  CommitReader reader("fipd");
  EXPECT_FALSE(reader.take(header_of(message(NFT_MSG_DELTABLE, NFPROTO_INET, kFipd))));
  const auto commit = reader.take(header_of(message(NFT_MSG_NEWGEN, 0, kGeneration)));
  ASSERT_TRUE(commit);
  EXPECT_EQ(commit->generation, 42u);
  EXPECT_EQ(commit->pid, 4711u);
  EXPECT_EQ(commit->name, "nft");
}

TEST(CommitReader, PassesOverOtherTablesAndFamilies) {
  CommitReader reader("fipd");
  EXPECT_FALSE(reader.take(header_of(message(NFT_MSG_NEWSETELEM, NFPROTO_INET, kOther))));
  EXPECT_FALSE(reader.take(header_of(message(NFT_MSG_NEWRULE, NFPROTO_IPV4, kFipd))));
  EXPECT_FALSE(reader.take(header_of(message(NFT_MSG_NEWGEN, 0, kGeneration))));
}

TEST(CommitReader, ForgetsACommitWithItsEnd) {
  CommitReader reader("fipd");
  (void)reader.take(header_of(message(NFT_MSG_NEWRULE, NFPROTO_INET, kFipd)));
  EXPECT_FALSE(reader.take(header_of(message(NFT_MSG_NEWRULE, NFPROTO_INET, kOther))));
  EXPECT_TRUE(reader.take(header_of(message(NFT_MSG_NEWGEN, 0, kGeneration))));
  EXPECT_FALSE(reader.take(header_of(message(NFT_MSG_NEWGEN, 0, kGeneration))));
  (void)reader.take(header_of(message(NFT_MSG_NEWRULE, NFPROTO_INET, kFipd)));
  reader.forget();
  EXPECT_FALSE(reader.take(header_of(message(NFT_MSG_NEWGEN, 0, kGeneration))));
}

}  // namespace
}  // namespace fipd::nat
