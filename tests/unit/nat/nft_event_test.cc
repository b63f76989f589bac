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

CommitNews take(CommitReader& reader, unsigned type, unsigned family,
                const std::string& attributes) {
  return reader.take(header_of(message(type, family, attributes)));
}

constexpr const char* kFipd = "09000100 6669706400 000000";
constexpr const char* kOther = "0a000100 666970643200 0000";  // "fipd2"
// Generation 42, pid 4711, name "nft".
constexpr const char* kGeneration = "08000100 0000002a 08000200 00001267 08000300 6e667400";

TEST(CommitReader, NamesWhoCommittedToOurTable) {
  CommitReader reader("fipd");
  EXPECT_FALSE(take(reader, NFT_MSG_DELTABLE, NFPROTO_INET, kFipd).to_ours);
  const CommitNews news = take(reader, NFT_MSG_NEWGEN, 0, kGeneration);
  EXPECT_FALSE(news.to_neighbours);
  const auto& commit = news.to_ours;
  ASSERT_TRUE(commit);
  EXPECT_EQ(commit->generation, 42u);
  EXPECT_EQ(commit->pid, 4711u);
  EXPECT_EQ(commit->name, "nft");
}

TEST(CommitReader, PassesOverOtherTablesAndFamilies) {
  CommitReader reader("fipd");
  EXPECT_FALSE(take(reader, NFT_MSG_NEWSETELEM, NFPROTO_INET, kOther).to_ours);
  EXPECT_FALSE(take(reader, NFT_MSG_NEWRULE, NFPROTO_IPV4, kFipd).to_ours);
  EXPECT_FALSE(take(reader, NFT_MSG_NEWGEN, 0, kGeneration).to_ours);
}

TEST(CommitReader, ForgetsACommitWithItsEnd) {
  CommitReader reader("fipd");
  (void)take(reader, NFT_MSG_NEWRULE, NFPROTO_INET, kFipd);
  EXPECT_FALSE(take(reader, NFT_MSG_NEWRULE, NFPROTO_INET, kOther).to_ours);
  EXPECT_TRUE(take(reader, NFT_MSG_NEWGEN, 0, kGeneration).to_ours);
  EXPECT_FALSE(take(reader, NFT_MSG_NEWGEN, 0, kGeneration).to_ours);
  (void)take(reader, NFT_MSG_NEWRULE, NFPROTO_INET, kFipd);
  reader.forget();
  EXPECT_FALSE(take(reader, NFT_MSG_NEWGEN, 0, kGeneration).to_ours);
}

TEST(CommitReader, TellsOfTablesAndBaseChainsOfOthers) {
  const std::string chain = std::string(kOther) + "0600 0300 6300 0000";
  const std::string base = chain + "1400 0480 0800 0100 00000000 0800 0200 ffffff9c";
  struct Case {
    unsigned type;
    unsigned family;
    std::string attributes;
    bool told;
  };
  for (const Case& each : {Case{NFT_MSG_NEWCHAIN, NFPROTO_IPV4, base, true},
                           Case{NFT_MSG_DELCHAIN, NFPROTO_INET, base, true},
                           Case{NFT_MSG_NEWCHAIN, NFPROTO_INET, chain, false},
                           Case{NFT_MSG_NEWCHAIN, NFPROTO_BRIDGE, base, false},
                           Case{NFT_MSG_DELTABLE, NFPROTO_IPV6, kFipd, true},
                           Case{NFT_MSG_NEWTABLE, NFPROTO_INET, kFipd, false},
                           Case{NFT_MSG_NEWSETELEM, NFPROTO_INET, kOther, false},
                           Case{NFT_MSG_NEWRULE, NFPROTO_IPV4, kOther, false}}) {
    CommitReader reader("fipd");
    (void)take(reader, each.type, each.family, each.attributes);
    const CommitNews news = take(reader, NFT_MSG_NEWGEN, 0, kGeneration);
    EXPECT_EQ(news.to_neighbours, each.told) << each.type << " in " << each.family;
    EXPECT_FALSE(take(reader, NFT_MSG_NEWGEN, 0, kGeneration).to_neighbours);
  }
}

TEST(CommitReader, TellsBothOfACommitThatIsAboutBoth) {
  CommitReader reader("fipd");
  (void)take(reader, NFT_MSG_DELTABLE, NFPROTO_INET, kOther);
  (void)take(reader, NFT_MSG_DELTABLE, NFPROTO_INET, kFipd);
  const CommitNews news = take(reader, NFT_MSG_NEWGEN, 0, kGeneration);
  EXPECT_TRUE(news.to_ours);
  EXPECT_TRUE(news.to_neighbours);
}

}  // namespace
}  // namespace fipd::nat
