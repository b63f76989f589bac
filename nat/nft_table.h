#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/function_ref.h"
#include "daemon/base/netlink_socket.h"
#include "nat/element_message.h"
#include "nat/nat_table.h"
#include "nat/ruleset_state.h"

struct nft_ctx;  // libnftables

namespace fipd::nat {

// NatTable in the kernel: the skeleton as text through libnftables, elements by raw batches
// through one socket that lives as long as this does. Keeps no state on disk or about the kernel:
// every answer is read from it.
class NftTable : public NatTable {
 public:
  // kBadInput where `table` is no name that nft takes.
  [[nodiscard]] static Result<std::unique_ptr<NftTable>> open(std::string table);
  ~NftTable() override;

  // The netlink ports that our commits come from: for NatMonitor to pass over. Process ids would
  // not do: the kernel tells the committing thread's, as the initial pid namespace counts.
  [[nodiscard]] std::vector<std::uint32_t> ports() const;

  [[nodiscard]] Result<std::string> ensure_ruleset(const RulesetOptions& options) override;
  [[nodiscard]] Result<std::vector<Element>> dump() override;
  [[nodiscard]] Result<std::vector<Traffic>> counters() override;
  [[nodiscard]] Result<Counter> untranslated() override;
  [[nodiscard]] Result<std::vector<Neighbour>> neighbours() override;
  [[nodiscard]] Result<std::uint32_t> generation() override;
  // Where table or map is gone: ENOENT and no change blamed.
  [[nodiscard]] tl::expected<void, CommitFailure> commit(
      std::span<const ElementChange> changes) override;
  // Takes the whole table out of the kernel (`fipd --flush`); fine where there is none.
  [[nodiscard]] Outcome remove();

 private:
  struct FreeContext {
    void operator()(nft_ctx* context) const;
  };

  NftTable(std::string table, NetlinkSocket socket);
  [[nodiscard]] Outcome run(const std::string& commands);
  // Sends one batch; the refused messages' sequence numbers and errnos.
  struct Refusal {
    std::uint32_t sequence;
    int error;
  };
  [[nodiscard]] Result<std::vector<Refusal>> send(std::span<const ElementChange> changes,
                                                  ElementEncoder::Packing packing);
  // Sends one request and hands over what comes; the errno that the kernel answered, EINTR where a
  // commit ran into a dump.
  [[nodiscard]] Result<int> ask(std::span<const std::byte> request,
                                FunctionRef<void(const nlmsghdr&)> take);
  [[nodiscard]] Outcome dump_map(Map map, bool v6, std::vector<Element>& out);
  [[nodiscard]] Result<bool> map_exists(std::size_t map);
  [[nodiscard]] CommitFailure explain(std::span<const ElementChange> changes,
                                      const std::vector<Refusal>& refusals);

  // How this kernel tells the rules of `options`, where that is not how we describe them: another
  // kernel than those we were tested on must cost a needless write at the start, not the service.
  struct ReadBack {
    RulesetOptions options;
    TableDescription description;
  };

  std::string table_;
  std::optional<ReadBack> read_back_;
  NetlinkSocket socket_;
  std::unique_ptr<nft_ctx, FreeContext> context_;
  std::uint32_t context_port_ = 0;  // 0: not found
  ElementEncoder encoder_;
};

}  // namespace fipd::nat
