#include "server/service_status.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/fake_clock.h"

namespace wsproxy::server {
namespace {

using std::chrono::milliseconds;

class ServiceStatusTest : public testing::Test {
 protected:
  void pass(Duration time) {
    clock_.advance(time);
    loop_.turn(Duration::zero());
  }

  test::FakeClock clock_;
  io::EventLoop loop_{clock_};
  int sessions_ = 0;
  std::vector<std::string> sent_;
  ServiceStatus status_{loop_, [this] { return std::to_string(sessions_); },
                        [this](const std::string& text) { sent_.push_back(text); }};
};

TEST_F(ServiceStatusTest, SaysTheFirstChangeAtOnce) {
  sessions_ = 1;
  status_.changed();
  pass(milliseconds(0));
  EXPECT_EQ(sent_, std::vector<std::string>{"1"});
}

TEST_F(ServiceStatusTest, ManyChangesInASecondAreOneLineWithTheLatestFigures) {
  status_.changed();
  pass(milliseconds(0));
  for (int i = 0; i < 9; ++i) {
    ++sessions_;
    status_.changed();
    pass(milliseconds(100));
  }
  EXPECT_EQ(sent_, std::vector<std::string>{"0"});
  pass(milliseconds(100));
  EXPECT_EQ(sent_, (std::vector<std::string>{"0", "9"}));
}

TEST_F(ServiceStatusTest, SaysNothingTwice) {
  status_.changed();
  pass(milliseconds(0));
  pass(milliseconds(5000));
  status_.changed();
  pass(milliseconds(0));
  EXPECT_EQ(sent_.size(), 1u);
}

TEST_F(ServiceStatusTest, DoesNotWakeUpWithoutAChange) {
  status_.changed();
  pass(milliseconds(0));
  EXPECT_FALSE(loop_.timers().next_in());
}

}  // namespace
}  // namespace wsproxy::server
