#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base/function_ref.h"
#include "daemon/reconcile/plan.h"
#include "daemon/state/bindings.h"
#include "daemon/state/derive.h"

namespace fipd {

// What a source would put and remove.
struct PreviewRequest {
  std::vector<Binding> put;
  std::vector<IpAddress> remove;
  unsigned rank = 0;
  std::string origin;
};

// What that would write.
struct Preview {
  struct Note {
    IpAddress floating;
    std::string code;  // of a refusal
    std::string text;
  };
  // The rules that the elements need would be written first, where they are not there.
  bool needs_forwards = false;
  bool needs_limits = false;
  std::vector<nat::ElementChange> elements;        // then, in one transaction
  std::vector<bgp::RouteChange> routes;            // then, in this order
  std::vector<nat::ElementChange> elements_later;  // when peers have let go of what is removed
  std::vector<Note> refused;                       // bindings that cannot be
  std::vector<Note> waiting;                       // bindings without a usable interface
};

// What is in force and what is known.
struct PreviewView {
  const Bindings& bindings;
  const KnownNat& nat;
  const KnownRoutes& routes;
  const Host& host;
  const DeriveRules& derive;
  PlanRules plan;
  InterfaceLookup interface_to;
  // Its route went a short while ago: peers may still send to it.
  FunctionRef<bool(const IpAddress&)> lingers;
  // What stands above the preferences.
  FunctionRef<Steer(const Binding&)> steer;
};

// Plans the request apart from everything else: nothing is written and nothing taken for known. Its
// cost is that of the request. Pure.
[[nodiscard]] Preview preview(const PreviewRequest& request, const PreviewView& view);

}  // namespace fipd
