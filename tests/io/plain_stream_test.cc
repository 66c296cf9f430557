#include "io/plain_stream.h"

#include <gtest/gtest.h>
#include <linux/tcp.h>  // its tcp_info counts segments, that of <netinet/tcp.h> does not
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "support/builders.h"
#include "support/socket_pair.h"

namespace wsproxy::io {
namespace {

using test::text_of;
using Kind = IoResult::Kind;

class PlainStreamTest : public testing::Test {
 protected:
  PlainStreamTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    stream_ = std::make_unique<PlainStream>(UniqueFd(ends[0]));
    peer_ = UniqueFd(ends[1]);
  }

  void peer_sends(std::string_view text) const {
    EXPECT_EQ(::send(peer_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] std::string peer_reads() const {
    std::array<char, 256> text{};
    const ssize_t n = ::recv(peer_.get(), text.data(), text.size(), 0);
    if (n < 0) return errno == EAGAIN ? "(nothing)" : "(error)";
    return n == 0 ? "(end)" : std::string(text.data(), static_cast<std::size_t>(n));
  }

  std::unique_ptr<PlainStream> stream_;
  UniqueFd peer_;
  std::array<std::byte, 8> room_{};
};

TEST_F(PlainStreamTest, ReadsWhatThereIs) {
  EXPECT_EQ(stream_->read(room_).kind, Kind::Again);
  peer_sends("0123456789");
  IoResult result = stream_->read(room_);
  ASSERT_TRUE(result.is_ok());
  EXPECT_EQ(text_of(Bytes(room_).first(result.bytes)), "01234567");
  result = stream_->read(room_);
  EXPECT_EQ(text_of(Bytes(room_).first(result.bytes)), "89");
  EXPECT_EQ(stream_->read(room_).kind, Kind::Again);
}

TEST_F(PlainStreamTest, PeeksWithoutTaking) {
  EXPECT_EQ(stream_->peek(room_).kind, Kind::Again);
  peer_sends("abc");
  for (int i = 0; i < 2; ++i) {
    const IoResult result = stream_->peek(room_);
    ASSERT_TRUE(result.is_ok());
    EXPECT_EQ(text_of(Bytes(room_).first(result.bytes)), "abc");
  }
  EXPECT_EQ(stream_->read(room_).bytes, 3U);
}

TEST_F(PlainStreamTest, ReportsTheEndBehindTheLastByte) {
  peer_sends("x");
  peer_.reset();
  EXPECT_EQ(stream_->read(room_).bytes, 1U);
  EXPECT_EQ(stream_->peek(room_).kind, Kind::Eof);
  EXPECT_EQ(stream_->read(room_).kind, Kind::Eof);
}

TEST_F(PlainStreamTest, WritesAllPartsInOrder) {
  const std::array parts = {as_bytes("ab"), Bytes{}, as_bytes("c"), as_bytes("def")};
  const IoResult result = stream_->write(parts);
  EXPECT_TRUE(result.is_ok());
  EXPECT_EQ(result.bytes, 6U);
  EXPECT_EQ(peer_reads(), "abcdef");
}

TEST_F(PlainStreamTest, WritesOnePart) {
  const std::array parts = {as_bytes("one")};
  EXPECT_EQ(stream_->write(parts).bytes, 3U);
  EXPECT_EQ(peer_reads(), "one");
}

TEST_F(PlainStreamTest, AWriteOfNothingIsDone) {
  EXPECT_TRUE(stream_->write({}).is_ok());
  const std::array parts = {Bytes{}, Bytes{}};
  EXPECT_TRUE(stream_->write(parts).is_ok());
  EXPECT_EQ(peer_reads(), "(nothing)");
  EXPECT_TRUE(stream_->flushed());
}

TEST_F(PlainStreamTest, WritesWhatGoesAndThenWouldBlock) {
  const auto block = test::pattern(65536);
  const std::array parts = {Bytes(block)};
  std::size_t total = 0;
  IoResult result = stream_->write(parts);
  while (result.is_ok() && total < (std::size_t{1} << 28)) {
    total += result.bytes;
    result = stream_->write(parts);
  }
  EXPECT_EQ(result.kind, Kind::Again);
  EXPECT_GT(total, 0U);
}

TEST_F(PlainStreamTest, AWriteToAClosedPeerFailsWithoutASignal) {
  peer_.reset();
  const std::array parts = {as_bytes("x")};
  const IoResult result = stream_->write(parts);
  EXPECT_EQ(result.kind, Kind::Failed);
  EXPECT_EQ(result.error, EPIPE);
  EXPECT_EQ(describe(result), "broken pipe");
  const std::array two = {as_bytes("x"), as_bytes("y")};
  EXPECT_EQ(stream_->write(two).error, EPIPE);
}

TEST_F(PlainStreamTest, EndsItsSideAndGoesOnReading) {
  stream_->shutdown_write();
  EXPECT_EQ(peer_reads(), "(end)");
  peer_sends("still");
  EXPECT_EQ(stream_->read(room_).bytes, 5U);
}

// One segment for the last bytes and the end: the peer is woken once.
TEST_F(PlainStreamTest, WhatIsWrittenLastLeavesWithTheEnd) {
  auto pair = test::SocketPair::tcp();
  PlainStream stream(std::move(pair.ours));
  const auto segments = [&] {
    tcp_info info{};
    socklen_t length = sizeof info;
    EXPECT_EQ(::getsockopt(pair.theirs.get(), IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    return info.tcpi_segs_in;
  };
  const auto before = segments();
  const std::array parts = {as_bytes("bye, "), as_bytes("then")};
  EXPECT_EQ(stream.write_last(parts).bytes, 9U);
  stream.shutdown_write();
  ASSERT_TRUE(test::wait_for(pair.theirs.get(), POLLRDHUP));
  EXPECT_EQ(segments() - before, 1U);
  EXPECT_EQ(test::read_all(pair.theirs.get()), "bye, then(end)");
}

TEST_F(PlainStreamTest, ClosesWhenItDies) {
  stream_.reset();
  EXPECT_EQ(peer_reads(), "(end)");
}

TEST_F(PlainStreamTest, WaitsForWhatIsWantedAndBuffersNothing) {
  const Interest wanted{.read = true, .hang_up = true};
  EXPECT_EQ(stream_->interest(wanted), wanted);
  EXPECT_FALSE(stream_->has_buffered());
  EXPECT_GE(stream_->fd(), 0);
}

TEST(DescribeIoResult, SaysErrnoReasonOrBoth) {
  EXPECT_EQ(describe(IoResult::failed(ECONNRESET)), "connection reset by peer");
  EXPECT_EQ(describe(IoResult::failed(0, "bad record")), "bad record");
  EXPECT_EQ(describe(IoResult::failed(ECONNRESET, "TLS")), "TLS: connection reset by peer");
}

TEST(TuneTcp, SetsNoDelayAndKeepAlive) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_TRUE(fd);
  tune_tcp(fd.get());
  const auto get = [&](int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    ::getsockopt(fd.get(), level, name, &value, &length);
    return value;
  };
  EXPECT_NE(get(IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_NE(get(SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(get(IPPROTO_TCP, TCP_KEEPIDLE), 60);
  EXPECT_EQ(get(IPPROTO_TCP, TCP_KEEPINTVL), 15);
  EXPECT_EQ(get(IPPROTO_TCP, TCP_KEEPCNT), 4);
  EXPECT_EQ(get(IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
  tune_tcp(fd.get(), std::chrono::seconds(90));
  EXPECT_EQ(get(IPPROTO_TCP, TCP_USER_TIMEOUT), 90'000);
  set_user_timeout(fd.get(), Duration::zero());
  EXPECT_EQ(get(IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
}

TEST(TuneTcp, LeavesOthersAlone) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  tune_tcp(fd.get());
  tune_tcp(-1);
}

}  // namespace
}  // namespace wsproxy::io
