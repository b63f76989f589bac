#include "daemon/reconcile/forwarding_settings.h"

#include <gmock/gmock.h>

#include "tests/unit/reconcile/bench_top.h"

namespace fipd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr bool kV4 = true;
constexpr bool kV6 = false;

class Forwards : public testing::Test {
 protected:
  Forwards() {
    host_.put(bgp::Link{1, "lo", true, true});
    host_.put(bgp::Link{2, "eth0", true, true});
    host_.put(bgp::Link{7, "tap1", true, true});
    settings_.read(
        {{kV4, {}, true}, {kV4, 1, true}, {kV4, 2, true}, {kV4, 7, true}, {kV6, {}, true}});
  }

  void bind(const std::string& floating, const std::string& fixed) {
    Binding binding;
    binding.floating = address(floating);
    binding.fixed = address(fixed);
    binding.interface = "tap1";
    bindings_.put({binding, 0, 1, "api"});
  }
  void bind_both() {
    bind("172.16.1.3", "10.65.0.13");
    bind("2001:db8:1::3", "2001:db8:65::13");
  }
  std::vector<std::string> warnings() { return settings_.warnings(host_, bindings_); }

  Host host_;
  Bindings bindings_;
  ForwardingSettings settings_;
};

TEST_F(Forwards, NothingIsSaidOfAHostThatDoes) {
  bind_both();
  EXPECT_THAT(warnings(), IsEmpty());
}

TEST_F(Forwards, NothingIsSaidBeforeItIsKnown) {
  bind_both();
  settings_.read({});
  EXPECT_THAT(warnings(), IsEmpty());
}

TEST_F(Forwards, EachFamilyIsNamedOnlyWhereItIsWanted) {
  settings_.read(
      {{kV4, {}, false}, {kV4, 1, false}, {kV4, 2, false}, {kV4, 7, false}, {kV6, {}, false}});
  EXPECT_THAT(warnings(), IsEmpty());
  bind("172.16.1.3", "10.65.0.13");
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("net.ipv4.ip_forward=1")));
  bind("2001:db8:1::3", "2001:db8:65::13");
  EXPECT_THAT(warnings(),
              ElementsAre(HasSubstr("IPv4"), HasSubstr("net.ipv6.conf.all.forwarding=1")));
  bindings_.remove(address("172.16.1.3"), "api");
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("IPv6")));
}

TEST_F(Forwards, OneInterfaceThatDoesIsEnoughForTheHost) {
  bind_both();
  // conf.all is only what was written last for all of them.
  settings_.put({kV4, {}, false});
  EXPECT_THAT(warnings(), IsEmpty());
}

TEST_F(Forwards, AnInterfaceOfAnInstanceThatDoesNotIsNamed) {
  bind_both();
  settings_.put({kV4, 7, false});
  EXPECT_THAT(warnings(),
              ElementsAre("IPv4 that comes from 1 interface(s) of instances is not forwarded: "
                          "sysctl net.ipv4.conf.tap1.forwarding=1"));
  settings_.link_removed(7);
  EXPECT_THAT(warnings(), IsEmpty());
  settings_.put({kV4, 2, false});
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("the host does not forward IPv4")))
      << "the loopback interface is none by which anything comes in";
}

class ForwardingOfTheHost : public BenchTop {};

TEST_F(ForwardingOfTheHost, IsReadAtTheStartAndFollowed) {
  network_.set_forwarding({kV4, 7, false});
  start();
  put("172.16.1.3", "10.65.0.13");
  EXPECT_THAT(reconciler_->warnings(), ElementsAre(HasSubstr("net.ipv4.ip_forward=1")));
  EXPECT_THAT(reconciler_->problems(), IsEmpty());
  reconciler_->forwarding_changed({kV4, 7, true});
  EXPECT_THAT(reconciler_->warnings(), IsEmpty());
}

}  // namespace
}  // namespace fipd
