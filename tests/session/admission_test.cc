#include "session/admission.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/fake_clock.h"

namespace wsproxy::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Visit = Admission::Visit;
using Place = Admission::Place;

ClientKey key(const std::string& address) {
  return ClientKey(*SocketAddress::numeric(address, 5000));
}

class AdmissionTest : public testing::Test {
 protected:
  // A session of a client, with its visit.
  std::expected<Place, Denial> admit(const SessionLimits& limits, ClientKey client = {},
                                     const std::string& target = "a:5900") {
    auto visit = admission_.arrive(client, {});
    EXPECT_TRUE(visit);
    return admission_.admit(*visit, target, limits);
  }

  // What becomes of a connection that ends at once: "in", or why it was turned away.
  std::string arrive(ClientKey client, const ConnectionLimits& limits) {
    const auto visit = admission_.arrive(client, limits);
    if (!visit) return describe(visit.error());
    return visit->denial() ? describe(*visit->denial()) : "in";
  }

  const std::string kTooFast = describe(Denial::TooFast);
  test::FakeClock clock_;
  int left_ = 0;
  unsigned dice_ = 0;
  std::vector<std::size_t> told_;
  Admission admission_{clock_, [this] { ++left_; },
                       [this] { told_.push_back(admission_.present()); }, [this] { return dice_; }};
};

TEST_F(AdmissionTest, WithoutALimitThereIsAlwaysOneMore) {
  std::vector<Place> places;
  places.reserve(1000);
  for (int i = 0; i < 1000; ++i) places.push_back(*admit({}));
  EXPECT_EQ(admission_.present(), 1000U);
}

TEST_F(AdmissionTest, TellsOfEachOneThatItHasCountedIn) {
  const auto first = admit({.sessions = 1});
  EXPECT_FALSE(admit({.sessions = 1}));
  EXPECT_EQ(told_, (std::vector<std::size_t>{1}));
}

TEST_F(AdmissionTest, RefusesOverTheLimitAndAdmitsWhenAPlaceIsFreeAgain) {
  auto first = admit({.sessions = 2});
  auto second = admit({.sessions = 2});
  EXPECT_EQ(admit({.sessions = 2}).error(), Denial::Sessions);
  EXPECT_EQ(left_, 0);
  *first = {};
  EXPECT_EQ(left_, 1);
  EXPECT_TRUE(admit({.sessions = 2}));
}

TEST_F(AdmissionTest, ALimitLoweredLaterCountsThoseWhoAreIn) {
  const auto a = admit({.sessions = 3});
  const auto b = admit({.sessions = 3});
  EXPECT_FALSE(admit({.sessions = 1}));
}

TEST_F(AdmissionTest, OnceMeansOnceEvenAfterTheFirstHasLeft) {
  EXPECT_TRUE(admit({.once = true}));
  EXPECT_FALSE(admit({.once = true}));
  EXPECT_EQ(admission_.admitted(), 1U);
}

TEST_F(AdmissionTest, AMovedPlaceIsGivenBackOnce) {
  {
    auto place = admit({});
    const Place other = std::move(*place);
    EXPECT_TRUE(other);
    EXPECT_FALSE(*place);  // NOLINT(bugprone-use-after-move): what is left of it is the question
  }
  EXPECT_EQ(left_, 1);
  EXPECT_EQ(admission_.present(), 0U);
}

TEST_F(AdmissionTest, CountsSessionsOfEachClient) {
  const SessionLimits limits{.per_client = 2};
  auto a = admit(limits, key("192.0.2.1"));
  const auto b = admit(limits, key("192.0.2.1"));
  EXPECT_EQ(admit(limits, key("192.0.2.1")).error(), Denial::SessionsOfClient);
  EXPECT_TRUE(admit(limits, key("192.0.2.2")));
  *a = {};
  EXPECT_TRUE(admit(limits, key("192.0.2.1")));
}

TEST_F(AdmissionTest, CountsSessionsToEachTarget) {
  const SessionLimits limits{.per_target = 1};
  auto a = admit(limits, {}, "a:5900");
  EXPECT_EQ(admit(limits, {}, "a:5900").error(), Denial::SessionsOfTarget);
  EXPECT_TRUE(admit(limits, {}, "b:5900"));
  *a = {};
  EXPECT_TRUE(admit(limits, {}, "a:5900"));
}

TEST_F(AdmissionTest, AClientMayConnectAsFastAsItsRateAndNoFaster) {
  const ConnectionLimits limits{.rate = 10};
  const ClientKey client = key("192.0.2.1");
  for (int i = 0; i < 10; ++i) EXPECT_EQ(arrive(client, limits), "in") << i;
  EXPECT_EQ(arrive(client, limits), kTooFast);
  EXPECT_EQ(arrive(key("192.0.2.2"), limits), "in") << "the others are not meant";
  clock_.advance(milliseconds(100));
  EXPECT_EQ(arrive(client, limits), "in");
  EXPECT_EQ(arrive(client, limits), kTooFast);
  EXPECT_EQ(admission_.turned_away(), 2U);
}

TEST_F(AdmissionTest, ComingAndGoingIsNoWayAroundTheRate) {
  const ConnectionLimits limits{.rate = 2};
  int let_in = 0;
  for (int i = 0; i < 100; ++i) {
    let_in += arrive(key("192.0.2.1"), limits) == "in" ? 1 : 0;
    clock_.advance(milliseconds(100));
  }
  EXPECT_LE(let_in, 22) << "ten seconds' worth and the burst";
  EXPECT_GE(let_in, 20);
}

TEST_F(AdmissionTest, ANewRateCountsAtOnce) {
  const ClientKey client = key("192.0.2.1");
  EXPECT_EQ(arrive(client, {.rate = 1}), "in");
  EXPECT_EQ(arrive(client, {.rate = 1}), kTooFast);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(arrive(client, {.rate = 5}), "in") << i;
  EXPECT_EQ(arrive(client, {.rate = 5}), kTooFast);
}

TEST_F(AdmissionTest, AClientMayHaveSoManyConnectionsWithoutAWebSocket) {
  const ConnectionLimits limits{.pending_per_client = 2};
  const ClientKey client = key("192.0.2.1");
  auto a = admission_.arrive(client, limits);
  auto b = admission_.arrive(client, limits);
  EXPECT_EQ(arrive(client, limits), describe(Denial::PendingOfClient));
  const auto place = admission_.admit(*a, "a:5900", {});
  EXPECT_EQ(arrive(client, limits), "in") << "a WebSocket is none of them";
  *b = {};
  EXPECT_EQ(admission_.pending(), 0U);
}

TEST_F(AdmissionTest, TurnsAwayByChanceFromTheStartOnAndAllWhenFull) {
  const ConnectionLimits limits{.pending = {.start = 10, .percent = 30, .full = 20}};
  const char* const away = describe(Denial::Pending);
  std::vector<Visit> visits;
  const auto fill = [&](int count) {
    dice_ = 99;
    for (int i = 0; i < count; ++i) visits.push_back(*admission_.arrive({}, limits));
    for (const Visit& visit : visits) EXPECT_FALSE(visit.denial());
  };
  fill(10);
  dice_ = 29;
  EXPECT_EQ(arrive({}, limits), away);
  dice_ = 30;
  EXPECT_EQ(arrive({}, limits), "in");
  fill(5);
  dice_ = 64;  // half way: 65 %
  EXPECT_EQ(arrive({}, limits), away);
  dice_ = 65;
  EXPECT_EQ(arrive({}, limits), "in");
  fill(5);
  dice_ = 99;
  EXPECT_EQ(arrive({}, limits), away);
  visits.pop_back();
  EXPECT_EQ(arrive({}, limits), "in");
}

TEST_F(AdmissionTest, ChanceIsFair) {
  Admission admission(clock_, [] {});  // with its own dice
  const ConnectionLimits limits{.pending = {.start = 1, .percent = 50, .full = 1000000}};
  const auto first = admission.arrive({}, limits);
  int away = 0;
  for (int i = 0; i < 1000; ++i) {
    clock_.advance(seconds(1));
    away += admission.arrive({}, limits)->denial() ? 1 : 0;
  }
  EXPECT_GT(away, 400);
  EXPECT_LT(away, 600);
}

TEST_F(AdmissionTest, WhoIsTurnedAwayIsToldSoUnlessTheyAreTooMany) {
  const ConnectionLimits limits{.pending = {.start = 0, .percent = 100, .full = 1}, .answered = 3};
  std::vector<Visit> told;
  for (int i = 0; i < 3; ++i) {
    told.push_back(*admission_.arrive({}, limits));
    EXPECT_EQ(told.back().denial(), Denial::Pending);
  }
  EXPECT_EQ(admission_.arrive({}, limits).error(), Denial::Pending) << "no answer for the fourth";
  told.pop_back();
  EXPECT_TRUE(admission_.arrive({}, limits));
  EXPECT_EQ(admission_.pending(), 0U) << "they take no place from the others";
  EXPECT_EQ(admission_.turned_away(), 5U);
}

TEST_F(AdmissionTest, AnswersHaveARate) {
  const ConnectionLimits limits{.pending = {.start = 0, .percent = 100, .full = 1}};
  unsigned told = 0;
  for (int i = 0; i < 1000; ++i) told += admission_.arrive({}, limits) ? 1 : 0;
  EXPECT_EQ(told, Admission::kAnswersAtOnce);
  clock_.advance(seconds(1));
  for (int i = 0; i < 1000; ++i) told += admission_.arrive({}, limits) ? 1 : 0;
  EXPECT_EQ(told, Admission::kAnswersAtOnce + Admission::kAnswersPerSecond);
}

TEST_F(AdmissionTest, ForgetsClientsWhenTheirRateIsNoLongerNews) {
  const ConnectionLimits limits{.rate = 100};
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(arrive(key("192.0.2." + std::to_string(i)), limits), "in");
  EXPECT_EQ(admission_.remembered(), 200U);
  clock_.advance(seconds(1));
  for (int i = 0; i < 60; ++i) EXPECT_EQ(arrive(key("192.0.2.1"), limits), "in");
  EXPECT_EQ(admission_.remembered(), 1U);
}

TEST_F(AdmissionTest, RemembersWhoIsThere) {
  const ConnectionLimits limits{.pending_per_client = 1};
  auto stays = admission_.arrive(key("192.0.2.1"), limits);
  clock_.advance(seconds(60));
  for (int i = 0; i < 60; ++i) EXPECT_EQ(arrive(key("192.0.2.2"), limits), "in");
  EXPECT_EQ(arrive(key("192.0.2.1"), limits), describe(Denial::PendingOfClient));
}

TEST_F(AdmissionTest, RemembersNoMoreClientsThanItsMemoryHolds) {
  const auto stays = admission_.arrive(key("10.0.0.1"), {.rate = 1});
  for (unsigned i = 0; i < Admission::kMemory + 1000; ++i) {
    const std::string address =
        "2001:db8:" + std::to_string(i / 9000) + ":" + std::to_string(i % 9000) + "::1";
    ASSERT_EQ(arrive(key(address), {.rate = 1}), "in");
  }
  EXPECT_LE(admission_.remembered(), Admission::kMemory + 1);
}

TEST(ClientKey, IsAnAddressOrTheNetworkOfACustomer) {
  EXPECT_EQ(key("192.0.2.1"), key("::ffff:192.0.2.1"));
  EXPECT_FALSE(key("192.0.2.1") == key("192.0.2.2"));
  EXPECT_EQ(key("2001:db8:0:1::1"), key("2001:db8:0:1:ffff::2"));
  EXPECT_FALSE(key("2001:db8:0:1::1") == key("2001:db8:0:2::1"));
}

TEST(ClientKey, KnowsThisMachine) {
  for (const char* address : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"})
    EXPECT_TRUE(key(address).is_local()) << address;
  for (const char* address : {"192.0.2.1", "126.255.255.255", "128.0.0.1", "::2", "2001:db8::1"})
    EXPECT_FALSE(key(address).is_local()) << address;
  EXPECT_FALSE(key("127.0.0.1") == key("127.0.0.2"));
}

TEST(ClientKey, AUnixSocketIsNobody) {
  EXPECT_FALSE(ClientKey(*SocketAddress::unix_path("/run/x")));
  EXPECT_FALSE(ClientKey(SocketAddress()));
  EXPECT_TRUE(key("192.0.2.1"));
}

}  // namespace
}  // namespace wsproxy::session
