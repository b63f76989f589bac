#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "daemon/base/result.h"
#include "daemon/observe/events.h"
#include "daemon/observe/preview.h"
#include "daemon/observe/report.h"
#include "daemon/state/binding.h"
#include "daemon/state/forward_edit.h"

namespace fipd {

// One wish of a client of the control API.
struct ChangeRequest {
  std::vector<Binding> put;  // added or replaced
  std::vector<IpAddress> remove;
  std::optional<ForwardEdit> forwards;  // of one floating IP; becomes one more `put`
  bool replace = false;                 // false: another target of a bound address is kConflict
  bool must_exist = true;               // removing what is not there is kNotFound

  // Whose bindings it adds, replaces or edits.
  [[nodiscard]] std::vector<IpAddress> wanted() const {
    std::vector<IpAddress> all;
    all.reserve(put.size() + 1);
    for (const Binding& binding : put) all.push_back(binding.floating);
    if (forwards) all.push_back(forwards->floating);
    return all;
  }
};

// A request is refused as a whole: all or nothing.
struct ChangeFailure {
  Error error;
  std::optional<IpAddress> floating;  // whose fault, where one is to blame
  std::string stable_code;  // "conflict", "outside_pools", "own_address", "store_failed"...
};

// Which floating IPs are to be drained, or not any more.
struct DrainRequest {
  bool host = false;  // the whole host
  std::vector<IpAddress> floatings;
};

// How long a change, or a look, waits before it answers.
enum class WaitFor : std::uint8_t {
  kSettled,  // until the kernel has answered; also where the outcome is "waiting"
  kTranslated,
  kRouted,
  kAnnounced,  // by all established sessions that carry its family
  kGone,       // what was removed: not even translated, or another source's
};

// What the HTTP server serves. Everything runs on the event loop's thread; nothing blocks it. The
// server knows nothing behind this interface.
class Service {
 public:
  virtual ~Service() = default;

  [[nodiscard]] virtual StatusReport status() = 0;
  // Every floating IP of which there is a claim, or a word that cannot be taken, or that is being
  // withdrawn, sorted; cheap to walk in slices with rows().
  virtual boost::asio::awaitable<std::vector<IpAddress>> addresses() = 0;
  // The winner first, then the losers, then what cannot be taken. Empty where nobody claims it.
  [[nodiscard]] virtual std::vector<FloatingIpReport> rows(const IpAddress& floating) = 0;
  // Words that cannot be taken and name no floating IP: a key, a file.
  [[nodiscard]] virtual std::vector<FloatingIpReport> nameless_rows() = 0;
  // The same, after BIRD was asked which sessions have it just now.
  virtual boost::asio::awaitable<std::vector<FloatingIpReport>> inspect(IpAddress floating) = 0;

  // Reads the kernel's counters anew, unless that was done within the last second.
  virtual boost::asio::awaitable<void> read_counters() = 0;
  // As read last. None: it is not counted.
  [[nodiscard]] virtual std::optional<Traffic> traffic(const IpAddress& floating) = 0;

  // Durable and in the kernel when it returns.
  virtual boost::asio::awaitable<tl::expected<void, ChangeFailure>> change(
      ChangeRequest request) = 0;
  // What change() would write to the kernel; nothing is written, not to the store either. Refused
  // as change() would refuse.
  virtual boost::asio::awaitable<tl::expected<PreviewReport, ChangeFailure>> preview(
      ChangeRequest request) = 0;
  // Waits until every one of `floatings` is so far (or gone, conflict, refused or failed, which
  // ends its waiting). kTimeout with a sentence naming the first that is not.
  virtual boost::asio::awaitable<Outcome> wait(std::vector<IpAddress> floatings, WaitFor what,
                                               std::chrono::milliseconds timeout) = 0;

  // By metric only: nothing is withdrawn. Durable and in the kernel when it returns.
  virtual boost::asio::awaitable<tl::expected<void, ChangeFailure>> drain(DrainRequest request,
                                                                          bool drained) = 0;
  // How far the peers are with it, asked just now.
  virtual boost::asio::awaitable<DrainReport> drain_report(bool with_connections) = 0;

  // Takes over the configuration from its files. The settings that need a restart, by name.
  virtual boost::asio::awaitable<Result<std::vector<std::string>>> reload() = 0;
  // Carries out the held removals of a source ("" for all). How many.
  virtual boost::asio::awaitable<Result<std::size_t>> accept(std::string source) = 0;

  [[nodiscard]] virtual EventHub& events() = 0;
};

}  // namespace fipd
