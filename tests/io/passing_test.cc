#include "io/passing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <vector>

#include "support/child.h"

namespace wsproxy::io {
namespace {

class PassingTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> pair{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()), 0);
    from_.reset(pair[0]);
    to_.reset(pair[1]);
  }

  UniqueFd from_, to_;
};

TEST_F(PassingTest, TextAndDescriptorsArriveTogether) {
  test::Pipe pipe = test::Pipe::make();
  ASSERT_TRUE(pass(from_.get(), "two ends", std::array{pipe.from.get(), pipe.to.get()}));
  const auto passed = receive_passed(to_.get());
  ASSERT_TRUE(passed);
  EXPECT_EQ(passed->text, "two ends");
  ASSERT_EQ(passed->fds.size(), 2U);
  EXPECT_NE(::fcntl(passed->fds[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  test::write_all(passed->fds[1].get(), "x");
  char got = 0;
  EXPECT_EQ(::read(pipe.from.get(), &got, 1), 1) << "it is the same pipe";
}

TEST_F(PassingTest, AsManyDescriptorsAsPromised) {
  const std::vector<int> many(kMaxPassed, STDERR_FILENO);
  ASSERT_TRUE(pass(from_.get(), std::string(kMaxPassedText, 'x'), many));
  const auto passed = receive_passed(to_.get());
  ASSERT_TRUE(passed);
  EXPECT_EQ(passed->fds.size(), kMaxPassed);
  EXPECT_EQ(passed->text.size(), kMaxPassedText);
}

TEST_F(PassingTest, WhatIsLongerThanThatIsNoMessage) {
  const std::string text(kMaxPassedText + 1, 'x');
  ASSERT_GT(::send(from_.get(), text.data(), text.size(), 0), 0);
  EXPECT_FALSE(receive_passed(to_.get()));
}

TEST_F(PassingTest, TheEndIsNoMessage) {
  from_.reset();
  EXPECT_FALSE(receive_passed(to_.get()));
  EXPECT_FALSE(pass(to_.get(), "x", {}));
}

}  // namespace
}  // namespace wsproxy::io
