#include "daemon/log_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "support/temp_dir.h"
#include "support/unix_receiver.h"

namespace wsproxy::daemon {
namespace {

using test::UnixReceiver;

class LogSocketTest : public testing::Test {
 protected:
  [[nodiscard]] LogSocket socket() const { return LogSocket(*SocketAddress::unix_path(path_)); }

  test::TempDir dir_;
  std::string path_ = dir_ / "socket";
};

TEST_F(LogSocketTest, SendsDatagramsWithoutALineEnd) {
  UnixReceiver receiver(path_, SOCK_DGRAM);
  LogSocket sender = socket();
  EXPECT_TRUE(sender.send("one"));
  EXPECT_TRUE(sender.send("two"));
  EXPECT_EQ(receiver.receive(), "one");
  EXPECT_EQ(receiver.receive(), "two");
}

TEST_F(LogSocketTest, SendsLinesWhereThePathIsAStream) {
  UnixReceiver receiver(path_, SOCK_STREAM);
  LogSocket sender = socket();
  EXPECT_TRUE(sender.send("one"));
  EXPECT_TRUE(sender.send("two"));
  EXPECT_EQ(receiver.receive(), "one\ntwo\n");
}

TEST_F(LogSocketTest, FindsTheDaemonAgainAfterARestart) {
  for (const int type : {SOCK_DGRAM, SOCK_STREAM}) {
    UnixReceiver receiver(path_, type);
    LogSocket sender = socket();
    EXPECT_TRUE(sender.send("before"));
    receiver.stop();
    EXPECT_FALSE(sender.send("while it is away"));
    receiver.start();
    EXPECT_TRUE(sender.send("after"));
    const auto got = receiver.receive();
    EXPECT_EQ(got, type == SOCK_STREAM ? "after\n" : "after");
  }
}

TEST_F(LogSocketTest, OtherTypeAfterARestartIsFineToo) {
  auto receiver = std::make_unique<UnixReceiver>(path_, SOCK_DGRAM);
  LogSocket sender = socket();
  EXPECT_TRUE(sender.send("before"));
  receiver.reset();
  UnixReceiver stream(path_, SOCK_STREAM);
  EXPECT_TRUE(sender.send("after"));
  EXPECT_EQ(stream.receive(), "after\n");
}

TEST_F(LogSocketTest, AFullQueueLosesDatagramsAndDoesNotBlock) {
  UnixReceiver receiver(path_, SOCK_DGRAM);
  LogSocket sender = socket();
  int taken = 0;
  while (sender.send("message " + std::to_string(taken))) ASSERT_LT(++taken, 100'000);
  EXPECT_GT(taken, 0);
  for (int i = 0; i < taken; ++i) EXPECT_EQ(receiver.receive(), "message " + std::to_string(i));
  EXPECT_EQ(receiver.receive(), std::nullopt);
  EXPECT_TRUE(sender.send("again"));
  EXPECT_EQ(receiver.receive(), "again");
}

TEST_F(LogSocketTest, AFullStreamLosesWholeLinesOnly) {
  UnixReceiver receiver(path_, SOCK_STREAM);
  LogSocket sender = socket();
  const std::string line(300'007, 'x');  // more than a socket's queue takes at once
  int taken = 0;
  while (sender.send(line)) ASSERT_LT(++taken, 100'000);
  std::string all;
  while (const auto piece = receiver.receive()) all += *piece;
  EXPECT_TRUE(sender.send("again"));
  while (const auto piece = receiver.receive()) all += *piece;
  std::string expected;
  for (int i = 0; i < taken; ++i) expected += line + "\n";
  EXPECT_EQ(all, expected + "again\n");
}

TEST_F(LogSocketTest, SendsOverUdp) {
  const UniqueFd server(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto any_port = *SocketAddress::numeric("127.0.0.1", 0);
  ASSERT_EQ(::bind(server.get(), any_port.get(), any_port.length()), 0);
  LogSocket sender(local_address(server.get()));
  EXPECT_TRUE(sender.send("one"));
  std::array<char, 16> text{};
  EXPECT_EQ(::recv(server.get(), text.data(), text.size(), 0), 3);
}

TEST_F(LogSocketTest, NamesWhatItCannotConnectTo) {
  LogSocket sender = socket();
  const Status status = sender.connect();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(),
            "cannot connect to unix:" + path_ + ": no such file or directory");
}

}  // namespace
}  // namespace wsproxy::daemon
