#include "session/keepalive.h"

#include <gtest/gtest.h>

namespace wsproxy::session {
namespace {

using Verdict = Keepalive::Verdict;
using std::chrono::seconds;

TEST(Keepalive, LooksTwiceInAHeartbeat) {
  EXPECT_EQ(Keepalive::interval(seconds(30)), seconds(15));
}

TEST(Keepalive, LeavesAClientThatSendsAlone) {
  Keepalive keepalive;
  for (std::uint64_t received = 1; received < 10; ++received) {
    EXPECT_EQ(keepalive.tick({.received = received}), Verdict::Alive);
  }
}

TEST(Keepalive, PingsAQuietClientAgainAndAgainAsLongAsItAnswers) {
  Keepalive keepalive;
  std::uint64_t received = 0;
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(keepalive.tick({.received = received}), Verdict::Ping) << round;
    received += 6;  // a Pong
    EXPECT_EQ(keepalive.tick({.received = received}), Verdict::Alive) << round;
  }
}

TEST(Keepalive, FindsAClientDeadTwoTicksAfterThePing) {
  Keepalive keepalive;
  EXPECT_EQ(keepalive.tick({.received = 100}), Verdict::Alive);
  EXPECT_EQ(keepalive.tick({.received = 100}), Verdict::Ping);
  EXPECT_EQ(keepalive.tick({.received = 100}), Verdict::Wait);
  EXPECT_EQ(keepalive.tick({.received = 100}), Verdict::Dead);
}

TEST(Keepalive, AnAnswerInTheLastMomentCounts) {
  Keepalive keepalive;
  EXPECT_EQ(keepalive.tick({}), Verdict::Ping);
  EXPECT_EQ(keepalive.tick({}), Verdict::Wait);
  EXPECT_EQ(keepalive.tick({.received = 6}), Verdict::Alive);
  EXPECT_EQ(keepalive.tick({.received = 6}), Verdict::Ping);
}

TEST(Keepalive, WaitsForASlowClientThatStillTakesWhatCameBeforeThePing) {
  Keepalive keepalive;
  EXPECT_EQ(keepalive.tick({.acknowledged = 0, .unacknowledged = 4096}), Verdict::Ping);
  for (std::uint64_t acknowledged = 100; acknowledged < 1000; acknowledged += 100) {
    EXPECT_EQ(keepalive.tick({.acknowledged = acknowledged, .unacknowledged = 4096}),
              Verdict::Wait);
  }
  EXPECT_EQ(keepalive.tick({.acknowledged = 900, .unacknowledged = 4096}), Verdict::Wait);
  EXPECT_EQ(keepalive.tick({.acknowledged = 900, .unacknowledged = 4096}), Verdict::Dead);
}

TEST(Keepalive, SilencesOfASlowClientDoNotAddUp) {
  Keepalive keepalive;
  EXPECT_EQ(keepalive.tick({.acknowledged = 0, .unacknowledged = 4096}), Verdict::Ping);
  for (std::uint64_t acknowledged = 100; acknowledged < 1000; acknowledged += 100) {
    EXPECT_EQ(keepalive.tick({.acknowledged = acknowledged, .unacknowledged = 4096}),
              Verdict::Wait);
    EXPECT_EQ(keepalive.tick({.acknowledged = acknowledged, .unacknowledged = 4096}),
              Verdict::Wait);
  }
}

// A frozen browser's kernel acknowledges a Ping as any other would.
TEST(Keepalive, ThePingsOwnAcknowledgementIsNoSignOfLife) {
  Keepalive keepalive;
  EXPECT_EQ(keepalive.tick({.acknowledged = 1000}), Verdict::Ping);
  EXPECT_EQ(keepalive.tick({.acknowledged = 1002}), Verdict::Wait);
  EXPECT_EQ(keepalive.tick({.acknowledged = 1002}), Verdict::Dead);
}

}  // namespace
}  // namespace wsproxy::session
