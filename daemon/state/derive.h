#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/route_table.h"
#include "daemon/base/function_ref.h"
#include "daemon/state/bindings.h"
#include "daemon/state/host.h"

namespace fipd {

// Settings that decide what a binding becomes.
struct DeriveRules {
  std::vector<Prefix> pools;  // empty: any address is admitted
  std::uint32_t metric = 1024;
  std::uint32_t preferred_metric = 512;
  std::uint32_t drained_metric = 4096;
  Limits default_limits;  // of bindings without their own
};

// What stands above a binding's own preference.
enum class Steer : std::uint8_t {
  kNone,
  kPreferred,  // this host is taking it over
  kDrained,    // a last resort
  kWithdrawn,  // not announced, but translated
};

// The metric of a binding's route. A preference from 100 up lies between the preferred metric and
// the normal one, below 100 between the normal one and the drained one; neither is reached.
[[nodiscard]] std::uint32_t metric_of(const Binding& binding, const DeriveRules& rules,
                                      Steer steer);

// Why a binding cannot be, whatever the interfaces do: a stable code for the API ("outside_pools")
// and a sentence.
struct Refusal {
  std::string_view code;
  std::string text;
};

// `is_floating` says whether an address is, or would become, somebody's floating IP.
[[nodiscard]] std::optional<Refusal> refusal_of(const Binding& binding, const DeriveRules& rules,
                                                const Host& host,
                                                FunctionRef<bool(const IpAddress&)> is_floating);

// What one binding should be in the kernel. Translated whenever it is admitted; routed only while
// its interface is there: a packet must never be attracted that nobody would get.
struct Desired {
  std::optional<Refusal> refusal;       // then nothing else
  std::optional<bgp::HostRoute> route;  // none: `waiting` says why
  std::string waiting;
  bool blind = false;      // the kernel could not be asked: a route that is there had better stay
  unsigned interface = 0;  // that it is, or would be, routed by; 0: `waiting`
  Limits limits;

  [[nodiscard]] bool translated() const { return !refusal; }
};

// The kernel's own interface to a fixed IP, for bindings that name none.
using InterfaceLookup = FunctionRef<Result<std::optional<unsigned>>(const IpAddress&)>;

[[nodiscard]] Desired derive(const Binding& binding, const DeriveRules& rules, const Host& host,
                             const Bindings& bindings, InterfaceLookup interface_to,
                             Steer steer = Steer::kNone);

// Which of the binding's fixed IPs the kernel would deliver to nobody here, though the binding
// names an interface: translated packets for it leave again or end here. Empty: none.
[[nodiscard]] std::string without_way(const Binding& binding, InterfaceLookup interface_to);

}  // namespace fipd
