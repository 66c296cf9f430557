#include "session/lifetime.h"

#include <gtest/gtest.h>

#include <optional>

#include "support/fake_clock.h"

namespace wsproxy::session {
namespace {

using std::chrono::seconds;

class LifetimeTest : public testing::Test {
 protected:
  void begin(const LifetimeLimits& limits) {
    lifetime_.emplace(
        timers_, limits, [this] { return relayed_; },
        [this](CloseReason reason) {
          EXPECT_FALSE(over_) << "once is enough";
          over_ = reason;
          at_ = passed_;
        });
  }
  // Lets the time pass second by second, `per_second` bytes being relayed in each.
  void pass(int count, std::uint64_t per_second = 0) {
    for (int i = 0; i < count; ++i) {
      relayed_ += per_second;
      clock_.advance(seconds(1));
      ++passed_;
      timers_.run();
    }
  }

  test::FakeClock clock_;
  io::TimerQueue timers_{clock_};
  std::uint64_t relayed_ = 0;
  int passed_ = 0;
  int at_ = 0;
  std::optional<CloseReason> over_;
  std::optional<Lifetime> lifetime_;
};

TEST_F(LifetimeTest, ASilentSessionEndsAfterItsIdleTime) {
  begin({.idle = seconds(40)});
  pass(100);
  EXPECT_EQ(over_, CloseReason::NothingRelayed);
  EXPECT_EQ(at_, 40);
}

TEST_F(LifetimeTest, ASessionThatRelaysIsNotIdle) {
  begin({.idle = seconds(40)});
  pass(1000, 1);
  EXPECT_FALSE(over_);
  pass(100);
  EXPECT_EQ(over_, CloseReason::NothingRelayed);
  EXPECT_GE(at_, 1040);
  EXPECT_LE(at_, 1050) << "a quarter later at most";
}

TEST_F(LifetimeTest, ABusySessionEndsWhenItsTimeIsUp) {
  begin({.idle = seconds(40), .most = seconds(95)});
  pass(200, 1);
  EXPECT_EQ(over_, CloseReason::TimeIsUp);
  EXPECT_EQ(at_, 95);
}

TEST_F(LifetimeTest, WithoutLimitsThereIsNothingToLookAt) {
  EXPECT_FALSE(LifetimeLimits{}.any());
  begin({});
  EXPECT_FALSE(timers_.next_in());
}

}  // namespace
}  // namespace wsproxy::session
