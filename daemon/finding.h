#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/base/address.h"

namespace fipd {

// What keeps a routed address from a peer. The names are the metrics' label.
enum class Cause : std::uint8_t {
  kPending,       // nothing known: BIRD has had no time yet
  kNotLearned,    // BIRD's kernel protocol has not heard of it
  kKernelDown,    // that protocol is not up
  kHidden,        // a stranger's route in our table is before ours
  kImportFilter,  // rejected on the way into BIRD
  kPipe,          // not in the session's table
  kPreference,    // another route wins in the session's table
  kExportFilter,
  kExportLimit,
  kNoChannel,  // the session does not carry the family
  kSessionDown,
};
inline constexpr std::size_t kCauses = 11;
[[nodiscard]] std::string_view to_string(Cause cause);

// Why an address is not announced to every session, with BIRD's own evidence.
struct Finding {
  Cause cause = Cause::kPending;
  bool learned = false;  // it is in BIRD's table
  std::string text;      // a sentence
  bool nowhere = true;   // no session has it

  friend bool operator==(const Finding&, const Finding&) = default;
};

// The findings of many addresses, most of which share theirs with others. Pure; one thread.
class Findings {
 public:
  void set(const IpAddress& address, const Finding& finding);
  void forget(const IpAddress& address);
  // Null: nothing was found, or it is announced everywhere.
  [[nodiscard]] const Finding* find(const IpAddress& address) const;
  [[nodiscard]] std::size_t size() const { return by_address_.size(); }
  [[nodiscard]] const std::array<std::size_t, kCauses>& counts() const { return counts_; }

  // One sentence for each different finding, with how many there are of it and one of them.
  struct Group {
    Finding finding;
    std::size_t count = 0;
    IpAddress example;
  };
  [[nodiscard]] std::vector<Group> groups() const;

 private:
  std::vector<Finding> different_;
  std::vector<std::size_t> uses_;
  std::vector<IpAddress> examples_;
  boost::unordered_flat_map<IpAddress, std::size_t, AddressHash> by_address_;
  std::array<std::size_t, kCauses> counts_{};
};

}  // namespace fipd
