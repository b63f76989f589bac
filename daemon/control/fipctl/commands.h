#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/control/fipctl/client.h"

namespace fipd::fipctl {

// What all verbs share.
struct Context {
  Client client;
  bool json = false;   // print fipd's JSON as it came
  bool color = false;  // of tables
};

// --wait, --timeout and --dry-run of the verbs that change something.
struct WaitOptions {
  std::string state;  // "translated", "routed", "announced"; empty: no waiting
  std::string timeout = "5s";
  bool dry_run = false;  // tell only, what would be written
};

struct AddOptions {
  std::string floating;
  std::string fixed;                  // or
  std::vector<std::string> forwards;  // "tcp/443=10.65.0.13:8443"
  std::vector<std::string> limits;    // "in_bits=100M"
  std::string interface;
  std::string id;
  std::string port;
  bool primary = false;
  std::optional<std::int64_t> preference;
  std::optional<std::int64_t> color;
  bool shared = false;
  std::string check;
  bool replace = false;
  WaitOptions wait;
};

struct DrainOptions {
  std::vector<std::string> addresses;
  bool all = false;   // the whole host
  bool undo = false;  // undrain
  WaitOptions wait{"", "60s"};
};
struct ForwardOptions {
  std::string floating;
  std::string action;                 // "add", "rm"
  std::vector<std::string> forwards;  // of rm also without the target
  bool replace = false;
  WaitOptions wait;
};

struct LsOptions {
  bool wide = false;
  bool quiet = false;  // only the floating IPs, one a line
  std::string state;   // only these
};

// Each verb prints its result on standard output; none: it went well.
using Verdict = std::optional<Failure>;
[[nodiscard]] Verdict add(const Context& context, const AddOptions& options);
[[nodiscard]] Verdict forward(const Context& context, const ForwardOptions& options);
[[nodiscard]] Verdict remove(const Context& context, const std::vector<std::string>& addresses,
                             const WaitOptions& wait);
[[nodiscard]] Verdict apply(const Context& context, const std::string& file,
                            const WaitOptions& wait);
[[nodiscard]] Verdict drain(const Context& context, const DrainOptions& options);
[[nodiscard]] Verdict list(const Context& context, const LsOptions& options);
[[nodiscard]] Verdict show(const Context& context, const std::string& address);
[[nodiscard]] Verdict status(const Context& context);
[[nodiscard]] Verdict peers(const Context& context);
[[nodiscard]] Verdict monitor(const Context& context);
[[nodiscard]] Verdict reload(const Context& context);
[[nodiscard]] Verdict accept(const Context& context, const std::string& source);
// "bash", "zsh", "fish".
[[nodiscard]] Verdict completion(const std::string& shell);

}  // namespace fipd::fipctl
