#include <gtest/gtest.h>

#include "daemon/reconcile/known_routes.h"

namespace fipd {
namespace {

IpAddress address(const std::string& text) { return *parse_address(text); }

const IpAddress kFloating = address("172.16.1.3");

TEST(KnownRoutes, RemembersTwoMetricsOfOneDestinationApart) {
  KnownRoutes routes;
  routes.set({kFloating, 1024, 7});
  routes.set({kFloating, 512, 7});
  EXPECT_EQ(routes.find(kFloating)->size(), 2u);
  routes.remove({kFloating, 1024, 7});
  ASSERT_NE(routes.by_interface(7), nullptr) << "the other metric still goes that way";
  routes.remove({kFloating, 512, 7});
  EXPECT_EQ(routes.find(kFloating), nullptr);
  EXPECT_EQ(routes.by_interface(7), nullptr);
}

TEST(KnownRoutes, FindsDestinationsByTheInterfaceTheyMovedTo) {
  KnownRoutes routes;
  routes.set({kFloating, 1024, 7});
  routes.set({kFloating, 1024, 8});
  EXPECT_EQ(routes.find(kFloating)->size(), 1u);
  EXPECT_EQ(routes.by_interface(7), nullptr);
  EXPECT_NE(routes.by_interface(8), nullptr);
}

TEST(KnownRoutes, TakesTheNewRealmOfAMetric) {
  KnownRoutes routes;
  routes.set({kFloating, 1024, 7, 5});
  routes.set({kFloating, 1024, 7, 6});
  ASSERT_EQ(routes.find(kFloating)->size(), 1u);
  EXPECT_EQ(routes.find(kFloating)->front().realm, 6u);
  EXPECT_NE(routes.by_interface(7), nullptr);
}

TEST(KnownRoutes, RemovingAnotherInterfacesRouteDoesNothing) {
  KnownRoutes routes;
  routes.set({kFloating, 1024, 7});
  routes.remove({kFloating, 1024, 8});
  EXPECT_NE(routes.find(kFloating), nullptr);
}

}  // namespace
}  // namespace fipd
