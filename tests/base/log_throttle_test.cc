#include "base/log_throttle.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "support/fake_clock.h"
#include "support/record_capture.h"

namespace wsproxy::log {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Lines = std::vector<std::string>;

constexpr Throttle::Limit kThreeInTen = {3, seconds(10)};

int allowed(Throttle& throttle, int times) {
  int count = 0;
  for (int i = 0; i < times; ++i) count += throttle.allow() ? 1 : 0;
  return count;
}

TEST(Throttle, AllowsSoManyLinesInAWindow) {
  const test::RecordCapture log;
  test::FakeClock clock;
  Throttle throttle(clock, "noise", kThreeInTen);
  EXPECT_EQ(allowed(throttle, 3), 3);
  EXPECT_EQ(allowed(throttle, 50), 0);
  clock.advance(seconds(10) - milliseconds(1));
  EXPECT_EQ(allowed(throttle, 50), 0);
  clock.advance(milliseconds(1));
  EXPECT_EQ(allowed(throttle, 50), 3);
}

TEST(Throttle, SaysHowManyItLeftOutBeforeTheNextLine) {
  test::RecordCapture log;
  test::FakeClock clock;
  Throttle throttle(clock, "noise", kThreeInTen);
  allowed(throttle, 45);
  EXPECT_EQ(log.take(), Lines{});
  clock.advance(seconds(25));
  EXPECT_TRUE(throttle.allow());
  EXPECT_EQ(log.take(), Lines{"info noise (42 more like this in the last 25 s)"});
  clock.advance(seconds(25));
  EXPECT_TRUE(throttle.allow());
  EXPECT_EQ(log.take(), Lines{}) << "nothing was left out of that window";
}

TEST(Throttle, AsksToBeFlushedWhenTheWindowEnds) {
  test::RecordCapture log;
  test::FakeClock clock;
  std::vector<Duration> asked;
  Throttle throttle(clock, "noise", kThreeInTen, Level::Warning,
                    [&](Duration rest) { asked.push_back(rest); });
  allowed(throttle, 3);
  EXPECT_TRUE(asked.empty());
  clock.advance(seconds(4));
  allowed(throttle, 9);
  EXPECT_EQ(asked, std::vector<Duration>{seconds(6)});
  throttle.flush();
  EXPECT_EQ(log.take(), Lines{}) << "the window is not over";
  clock.advance(seconds(6));
  throttle.flush();
  EXPECT_EQ(log.take(), Lines{"warning noise (9 more like this in the last 10 s)"});
  throttle.flush();
  EXPECT_EQ(log.take(), Lines{});
}

TEST(Throttle, SaysWhatItLeftOutAtTheEnd) {
  test::RecordCapture log;
  test::FakeClock clock;
  {
    Throttle throttle(clock, "noise", kThreeInTen);
    allowed(throttle, 5);
  }
  EXPECT_EQ(log.take(), Lines{"info noise (2 more like this in the last 0 s)"});
}

TEST(Throttle, LinesThatTheLevelHidesAreNotCounted) {
  test::RecordCapture log;
  test::FakeClock clock;
  Throttle throttle(clock, "noise", kThreeInTen, Level::Debug);
  EXPECT_EQ(allowed(throttle, 50), 0);
  clock.advance(seconds(11));
  throttle.flush();
  EXPECT_EQ(log.take(), Lines{});
}

}  // namespace
}  // namespace wsproxy::log
