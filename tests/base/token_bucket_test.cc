#include "base/token_bucket.h"

#include <gtest/gtest.h>

namespace wsproxy {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

int taken_at_once(TokenBucket& bucket, SteadyTime now) {
  int taken = 0;
  while (taken < 10000 && bucket.take(now)) ++taken;
  return taken;
}

TEST(TokenBucket, GivesABurstAndThenSoManyASecond) {
  SteadyTime now;
  TokenBucket bucket(10, 25, now);
  EXPECT_EQ(taken_at_once(bucket, now), 25);
  now += milliseconds(99);
  EXPECT_FALSE(bucket.take(now));
  now += milliseconds(1);
  EXPECT_TRUE(bucket.take(now)) << "what was asked for in vain costs nothing";
  EXPECT_FALSE(bucket.take(now));
  now += milliseconds(1000);
  EXPECT_EQ(taken_at_once(bucket, now), 10);
}

TEST(TokenBucket, HoldsNoMoreThanABurst) {
  SteadyTime now;
  TokenBucket bucket(1000, 5, now);
  now += hours(24 * 365);
  EXPECT_EQ(taken_at_once(bucket, now), 5);
}

TEST(TokenBucket, ARateOfZeroIsNoLimit) {
  TokenBucket bucket;
  EXPECT_EQ(taken_at_once(bucket, {}), 10000);
}

}  // namespace
}  // namespace wsproxy
