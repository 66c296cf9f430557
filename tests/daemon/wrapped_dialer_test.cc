#include "daemon/wrapped_dialer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "support/fake_clock.h"
#include "support/fake_dialer.h"

namespace wsproxy::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class WrappedDialerTest : public testing::Test {
 protected:
  WrappedDialerTest() : loop_(clock_), dialer_(loop_, inner_) {
    dialer_.wrap({"127.0.0.1", 5900, ""}, [this] { return starting_; });
  }

  void dial(const io::Endpoint& target) {
    dial_ = dialer_.dial(target, {seconds(5), seconds(10)}, [this] { ++wakes_; });
  }
  std::string next() {
    loop_.turn(Duration::zero());
    return inner_.pending == nullptr ? "nothing" : inner_.dialled;
  }
  void refuse() { inner_.refuse("cannot reach " + inner_.dialled + ": connection refused"); }

  test::FakeClock clock_;
  io::EventLoop loop_;
  test::FakeDialer inner_;
  WrappedDialer dialer_;
  std::unique_ptr<io::Dial> dial_;
  bool starting_ = true;
  int wakes_ = 0;
};

TEST_F(WrappedDialerTest, LeavesOtherTargetsAlone) {
  dial({"127.0.0.1", 5901, ""});
  EXPECT_EQ(next(), "127.0.0.1:5901");
  refuse();
  EXPECT_FALSE(dial_->pending());
  EXPECT_EQ(wakes_, 1);
}

TEST_F(WrappedDialerTest, LeavesAllTargetsAloneWithoutAProgram) {
  WrappedDialer plain(loop_, inner_);
  dial_ = plain.dial({"127.0.0.1", 5900, ""}, {seconds(5), seconds(10)}, [this] { ++wakes_; });
  refuse();
  EXPECT_FALSE(dial_->pending());
}

TEST_F(WrappedDialerTest, GivesTheFirstStreamThereIs) {
  dial({"127.0.0.1", 5900, ""});
  EXPECT_EQ(next(), "127.0.0.1:5900");
  inner_.connect(std::make_shared<test::Peer>());
  EXPECT_FALSE(dial_->pending());
  EXPECT_EQ(wakes_, 1);
  EXPECT_TRUE(dial_->take());
}

TEST_F(WrappedDialerTest, TriesIPv6WhereIPv4Refuses) {
  dial({"127.0.0.1", 5900, ""});
  refuse();
  EXPECT_EQ(next(), "[::1]:5900");
  EXPECT_TRUE(dial_->pending());
  inner_.connect(std::make_shared<test::Peer>());
  EXPECT_TRUE(dial_->take());
}

TEST_F(WrappedDialerTest, TriesAgainWhileTheProgramStarts) {
  dial({"127.0.0.1", 5900, ""});
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(next(), "127.0.0.1:5900");
    refuse();
    refuse();
    EXPECT_TRUE(dial_->pending());
    EXPECT_EQ(next(), "nothing");
    clock_.advance(milliseconds(50));
  }
  EXPECT_EQ(next(), "127.0.0.1:5900");
  inner_.connect(std::make_shared<test::Peer>());
  EXPECT_TRUE(dial_->take());
  EXPECT_EQ(wakes_, 1);
}

TEST_F(WrappedDialerTest, GivesUpAtTheLimitWithTheWordsOfIPv4) {
  dial({"127.0.0.1", 5900, ""});
  refuse();
  clock_.advance(milliseconds(9999));
  refuse();
  EXPECT_FALSE(dial_->pending());
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(dial_->take().error().message(), "cannot reach 127.0.0.1:5900: connection refused");
}

TEST_F(WrappedDialerTest, GivesUpAtOnceOnAProgramThatIsNotStarting) {
  starting_ = false;
  dial({"127.0.0.1", 5900, ""});
  refuse();
  refuse();
  EXPECT_FALSE(dial_->pending());
  EXPECT_EQ(dial_->take().error().code, Errc::Refused);
}

TEST_F(WrappedDialerTest, CancelsWhatIsUnderWay) {
  dial({"127.0.0.1", 5900, ""});
  dial_.reset();
  EXPECT_TRUE(inner_.cancelled);
  dial({"127.0.0.1", 5900, ""});
  refuse();
  refuse();
  dial_.reset();
  clock_.advance(seconds(1));
  EXPECT_EQ(next(), "nothing");
}

}  // namespace
}  // namespace wsproxy::daemon
