#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/sources/binding_file.h"
#include "daemon/sources/claim_changes.h"
#include "daemon/state/binding.h"

namespace fipd {

// A file's new content, or none where it is gone.
struct FileUpdate {
  std::string path;
  FileContent content;
  std::uint64_t revision = 0;
};

// Of the claims of a file.
[[nodiscard]] std::string origin_of_file(const std::string& path);

struct FileChanges : ClaimChanges {
  // Files whose content would be more than the limit; their old content stands.
  std::vector<std::string> too_large;
};

// What all binding files claim together: turns new contents into changes, and holds back mass
// removals. A floating IP that moves from one file to another is no removal. Once held, removals
// stay so until accepted, or until enough of them have come back. Pure; one caller at a time.
class FileClaims {
 public:
  FileClaims(unsigned rank, std::size_t limit) : rank_(rank), limit_(limit) {}

  void set_limit(std::size_t limit) { limit_ = limit; }
  // The directory was lost and found again: what is missing in it waits for a person, however
  // little it is.
  void distrust() { distrust_ = true; }

  // Without updates: looks at the held ones again, under a rule that may have changed.
  [[nodiscard]] FileChanges update(const std::vector<FileUpdate>& updates, const HoldRule& rule);
  // The held removals.
  [[nodiscard]] ClaimChanges accept();

  // In force, the held ones included.
  [[nodiscard]] std::size_t size() const { return wanted_ + held(); }
  // Removals that wait.
  [[nodiscard]] std::size_t held() const;

 private:
  struct File {
    FileContent content;
    std::uint64_t revision = 0;
    std::vector<Binding> held;  // in force, but not in the content any more
  };

  using Files = std::map<std::string, File>;
  struct Wanted {
    unsigned files = 0;               // how many want it
    const Files::value_type* last{};  // who began to; null: that one has given it up
  };

  void replace(Files::value_type& file, const FileUpdate& update, ClaimChanges& out);
  void want(const Files::value_type& file, const Binding& binding, ClaimChanges& out);
  void unwant(const Files::value_type& file, const IpAddress& floating);
  void tell(const Files::value_type& file, const IpAddress& floating, ClaimChanges& out) const;
  [[nodiscard]] Claim claim_of(const Files::value_type& file, const Binding& binding) const;
  void release(ClaimChanges& out, bool all);
  [[nodiscard]] std::size_t in_force() const;
  [[nodiscard]] std::size_t lost() const;

  unsigned rank_;
  std::size_t limit_;
  Files files_;
  std::unordered_map<IpAddress, Wanted, AddressHash> wanted_by_;
  std::size_t wanted_ = 0;
  bool distrust_ = false;
  bool holding_ = false;
  std::size_t hold_base_ = 0;  // floating IPs in force when the hold began
};

}  // namespace fipd
