#include "io/conduit.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "support/builders.h"
#include "support/socket_pair.h"

namespace wsproxy::io {
namespace {

using test::SocketPair;
using Kind = IoResult::Kind;

constexpr std::size_t kMost = std::size_t{64} * 1024;
constexpr int kSmallBuffer = 4096;

std::string much(std::size_t size) { return test::text_of(test::pattern(size)); }

class ConduitTest : public testing::Test {
 protected:
  // What arrived at the far side of `to_`, when the conduit is empty.
  std::string drain_all() {
    std::string arrived;
    while (!conduit_.empty()) {
      EXPECT_NE(conduit_.drain(to_.ours.get()).kind, Kind::Failed);
      EXPECT_TRUE(test::wait_for(to_.theirs.get(), POLLIN));
      arrived += test::read_all(to_.theirs.get());
    }
    return arrived;
  }

  PipePool pool_{2};
  SocketPair from_ = SocketPair::tcp();
  SocketPair to_ = SocketPair::tcp(kSmallBuffer);
  Conduit conduit_{pool_};
};

TEST_F(ConduitTest, CarriesBytesBehindTheirHead) {
  ASSERT_EQ(test::send_some(from_.theirs.get(), "payload"), 7U);
  ASSERT_TRUE(test::wait_for(from_.ours.get(), POLLIN));
  const IoResult filled = conduit_.fill(from_.ours.get(), kMost);
  ASSERT_TRUE(filled.is_ok());
  EXPECT_EQ(filled.bytes, 7U);
  EXPECT_EQ(pool_.in_use(), 1U);
  conduit_.put_in_front(as_bytes("head:"));
  EXPECT_EQ(conduit_.size(), 12U);
  const IoResult drained = conduit_.drain(to_.ours.get());
  ASSERT_TRUE(drained.is_ok());
  EXPECT_EQ(drained.bytes, 12U);
  EXPECT_TRUE(conduit_.empty());
  EXPECT_EQ(pool_.in_use(), 0U);
  ASSERT_TRUE(test::wait_for(to_.theirs.get(), POLLIN));
  EXPECT_EQ(test::read_all(to_.theirs.get()), "head:payload");
}

TEST_F(ConduitTest, TakesNoMoreThanItMay) {
  test::send_some(from_.theirs.get(), "0123456789");
  ASSERT_TRUE(test::wait_for(from_.ours.get(), POLLIN));
  EXPECT_EQ(conduit_.fill(from_.ours.get(), 4).bytes, 4U);
  EXPECT_EQ(drain_all(), "0123");
  EXPECT_EQ(conduit_.fill(from_.ours.get(), kMost).bytes, 6U);
  EXPECT_EQ(drain_all(), "456789");
}

TEST_F(ConduitTest, ASlowReceiverGetsItInPiecesAndInOrder) {
  const std::string bulk = much(kMost);
  ASSERT_EQ(test::send_some(from_.theirs.get(), bulk), bulk.size());
  std::string arrived;
  std::string wanted;
  bool was_partial = false;
  for (int frame = 0; arrived.size() < bulk.size() + static_cast<std::size_t>(frame); ++frame) {
    ASSERT_TRUE(test::wait_for(from_.ours.get(), POLLIN));
    const IoResult filled = conduit_.fill(from_.ours.get(), kMost);
    ASSERT_TRUE(filled.is_ok());
    conduit_.put_in_front(as_bytes("#"));
    wanted += "#" + bulk.substr(wanted.size() - static_cast<std::size_t>(frame), filled.bytes);
    ASSERT_TRUE(conduit_.drain(to_.ours.get()).is_ok());
    if (!conduit_.empty()) {
      was_partial = true;
      EXPECT_EQ(pool_.in_use(), 1U);
      const std::size_t left = conduit_.size();
      while (conduit_.drain(to_.ours.get()).is_ok()) continue;
      EXPECT_LE(conduit_.size(), left);
      EXPECT_EQ(conduit_.drain(to_.ours.get()).kind, Kind::Again);
    }
    arrived += test::read_all(to_.theirs.get()) + drain_all();
    EXPECT_EQ(pool_.in_use(), 0U);
    arrived += test::read_all(to_.theirs.get());
    while (arrived.size() < wanted.size()) {
      ASSERT_TRUE(test::wait_for(to_.theirs.get(), POLLIN));
      arrived += test::read_all(to_.theirs.get());
    }
  }
  EXPECT_TRUE(was_partial);
  EXPECT_EQ(arrived, wanted);
}

TEST_F(ConduitTest, AFullSocketTakesNotEvenTheHead) {
  test::send_some(from_.theirs.get(), "payload");
  ASSERT_TRUE(test::wait_for(from_.ours.get(), POLLIN));
  ASSERT_TRUE(conduit_.fill(from_.ours.get(), kMost).is_ok());
  conduit_.put_in_front(as_bytes("head:"));
  const std::string before = much(std::size_t{4} << 20);
  const std::size_t stuffed = test::send_some(to_.ours.get(), before);
  ASSERT_LT(stuffed, before.size());
  EXPECT_EQ(conduit_.drain(to_.ours.get()).kind, Kind::Again);
  EXPECT_EQ(conduit_.size(), 12U);
  std::string arrived;
  while (arrived.size() < stuffed + 12) {
    ASSERT_TRUE(test::wait_for(to_.theirs.get(), POLLIN));
    arrived += test::read_all(to_.theirs.get());
    if (!conduit_.empty()) conduit_.drain(to_.ours.get());
  }
  EXPECT_EQ(arrived.substr(stuffed), "head:payload");
}

TEST_F(ConduitTest, NothingToTakeKeepsNoPipe) {
  EXPECT_EQ(conduit_.fill(from_.ours.get(), kMost).kind, Kind::Again);
  EXPECT_EQ(pool_.in_use(), 0U);
}

TEST_F(ConduitTest, TheSendersEndComesBehindItsBytes) {
  test::send_some(from_.theirs.get(), "last");
  from_.theirs.reset();
  ASSERT_TRUE(test::wait_for(from_.ours.get(), POLLRDHUP));
  EXPECT_EQ(conduit_.fill(from_.ours.get(), kMost).bytes, 4U);
  EXPECT_EQ(drain_all(), "last");
  EXPECT_EQ(conduit_.fill(from_.ours.get(), kMost).kind, Kind::Eof);
  EXPECT_TRUE(conduit_.empty());
  EXPECT_EQ(pool_.in_use(), 0U);
}

TEST_F(ConduitTest, AResetSenderFails) {
  const linger at_once{1, 0};
  ::setsockopt(from_.theirs.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  from_.theirs.reset();
  ASSERT_TRUE(test::wait_for(from_.ours.get(), POLLIN));
  const IoResult result = conduit_.fill(from_.ours.get(), kMost);
  EXPECT_EQ(result.kind, Kind::Failed);
  EXPECT_EQ(result.error, ECONNRESET);
}

TEST_F(ConduitTest, AReceiverThatIsGoneFailsAndItsPipeIsNotUsedAgain) {
  test::send_some(from_.theirs.get(), "lost");
  ASSERT_TRUE(test::wait_for(from_.ours.get(), POLLIN));
  ASSERT_TRUE(conduit_.fill(from_.ours.get(), kMost).is_ok());
  ::shutdown(to_.ours.get(), SHUT_WR);
  EXPECT_EQ(conduit_.drain(to_.ours.get()).kind, Kind::Failed);
  conduit_.clear();
  EXPECT_TRUE(conduit_.empty());
  EXPECT_EQ(pool_.in_use(), 0U);

  to_ = SocketPair::tcp();
  test::send_some(from_.theirs.get(), "next");
  ASSERT_TRUE(test::wait_for(from_.ours.get(), POLLIN));
  ASSERT_TRUE(conduit_.fill(from_.ours.get(), kMost).is_ok());
  EXPECT_EQ(drain_all(), "next");
}

TEST_F(ConduitTest, WhatIsNoSocketToSpliceFromSaysSo) {
  const UniqueFd event(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  const IoResult result = conduit_.fill(event.get(), kMost);
  EXPECT_EQ(result.kind, Kind::Failed);
  EXPECT_EQ(result.error, EINVAL);
  EXPECT_EQ(pool_.in_use(), 0U);
}

TEST_F(ConduitTest, WithoutAPipeNothingIsTaken) {
  auto one = pool_.take();
  auto other = pool_.take();
  ASSERT_TRUE(one && other);
  test::send_some(from_.theirs.get(), "waits");
  ASSERT_TRUE(test::wait_for(from_.ours.get(), POLLIN));
  EXPECT_EQ(conduit_.fill(from_.ours.get(), kMost).error, EMFILE);
  pool_.give_back(std::move(one));
  EXPECT_EQ(conduit_.fill(from_.ours.get(), kMost).bytes, 5U);
  EXPECT_EQ(drain_all(), "waits");
  pool_.lose(std::move(other));
  EXPECT_EQ(pool_.in_use(), 0U);
}

TEST_F(ConduitTest, ItsEndGivesThePipeBack) {
  {
    Conduit brief(pool_);
    test::send_some(from_.theirs.get(), "lost");
    ASSERT_TRUE(test::wait_for(from_.ours.get(), POLLIN));
    ASSERT_TRUE(brief.fill(from_.ours.get(), kMost).is_ok());
    EXPECT_EQ(pool_.in_use(), 1U);
  }
  EXPECT_EQ(pool_.in_use(), 0U);
}

}  // namespace
}  // namespace wsproxy::io
