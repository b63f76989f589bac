#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/state/binding.h"

namespace fipd {

// What one key claims.
struct EtcdWord {
  struct Entry {
    Binding binding;
    std::string origin;  // of the claim; with the address its name within the source
    Claim::Role role = Claim::Role::kServing;
    std::string peer{};

    friend bool operator==(const Entry&, const Entry&) = default;
  };
  // What it says of another key's claims.
  struct Part {
    std::string key;
    Claim::Role role = Claim::Role::kServing;
    std::string peer{};

    friend bool operator==(const Part&, const Part&) = default;
  };
  // What is left out.
  struct Problem {
    std::optional<IpAddress> floating;  // whose it is, where that much can be read
    std::string text;

    friend bool operator==(const Problem&, const Problem&) = default;
  };
  std::vector<Entry> entries;
  std::vector<Part> parts;
  std::vector<Problem> problems;

  friend bool operator==(const EtcdWord&, const EtcdWord&) = default;
};

// One writer's form of keys: what tells the sources that read etcd from each other. The functions
// are pure, and called on any thread.
struct EtcdKeys {
  std::string source;  // its name: "etcd", "calico"
  std::string prefix;  // of all keys of this host
  // Of keys that tell the parts which hosts have in migrations; a part's key is written before that
  // of the claims. Empty: there are none.
  std::string parts_prefix{};
  // The key by which a controller says that all others are there. Empty: its writer has no such
  // word, so that a snapshot is complete unless etcd was wiped or restored.
  std::string ready;
  // A failure: the value is bad as a whole, and what the key said before stands.
  std::function<Result<EtcdWord>(std::string_view key, std::string_view value)> decode;
  // The floating IP of a value that is bad as a whole, where that much can be read. Empty: never.
  std::function<std::optional<IpAddress>(std::string_view value)> floating;
  std::function<std::string(std::string_view key)> origin;  // of a key's claims
  std::function<std::string(std::string_view key)> title;   // of a key, for messages
};

}  // namespace fipd
