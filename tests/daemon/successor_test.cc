#include "daemon/successor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

#include "base/clock.h"

namespace wsproxy::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SuccessorTest : public testing::Test {
 protected:
  SuccessorTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    read_end_ = UniqueFd(ends[0]);
    write_end_ = UniqueFd(ends[1]);
  }

  /// Runs a shell's commands as the new program and waits for what becomes of it.
  Result<pid_t> succeed(const std::string& commands, SuccessorOptions options = {},
                        const std::vector<SocketToHand>& sockets = {}) {
    if (options.program.empty()) options.program = "/bin/sh";
    options.arguments = {"new-program", "-c", commands};
    auto started =
        Successor::start(loop_, SuccessorStarter(options), sockets, [this](Result<pid_t> end) {
          end_ = std::move(end);
          ended_ = true;
          loop_.stop();
        });
    if (!started) return std::unexpected(started.error());
    successor_ = std::move(*started);
    io::Timer late(loop_.timers(), [this] { loop_.stop(); });
    late.arm(seconds(20));
    EXPECT_FALSE(ended_) << "from within start()";
    loop_.run();
    EXPECT_TRUE(ended_);
    return std::move(end_);
  }

  UniqueFd read_end_;   // of a pipe: the test's
  UniqueFd write_end_;  // the new program's, when it is handed over as a socket
  SystemClock clock_;
  io::EventLoop loop_{clock_};
  std::unique_ptr<Successor> successor_;
  Result<pid_t> end_ = fail(Errc::TimedOut, "nothing happened");
  bool ended_ = false;
};

TEST_F(SuccessorTest, GivesThePidOfOneThatIsReady) {
  SuccessorOptions options;
  const std::vector<SocketToHand> sockets = {
      {.fd = write_end_.get(), .listen = "systemd", .name = "ws"}};
  options.environment = {{"EXTRA", "of mine"}};
  const auto pid =
      succeed("echo \"$$ $EXTRA $PPID $WSPROXY_PREDECESSOR\" >&4; printf R >&3; head -c 1 <&3 >&4",
              options, sockets);
  ASSERT_TRUE(pid) << pid.error().message();
  write_end_.reset();
  const auto said = [&] {
    std::array<char, 256> text{};
    const ssize_t size = ::read(read_end_.get(), text.data(), text.size());
    return std::string(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  };
  const std::string first = said();
  EXPECT_TRUE(first.starts_with(std::to_string(*pid) + " of mine ")) << first;
  EXPECT_TRUE(first.ends_with(" 3\n4 ws systemd\n")) << first;
  EXPECT_EQ(first.find(" " + std::to_string(::getpid()) + " "), std::string::npos) << "our child";
  successor_->confirm();
  EXPECT_EQ(said(), "C");
  EXPECT_EQ(said(), "");
}

TEST_F(SuccessorTest, FailsWhenItEndsBeforeItIsReady) {
  const auto pid = succeed("exit 3");
  ASSERT_FALSE(pid);
  EXPECT_EQ(pid.error().code, Errc::Io);
}

TEST_F(SuccessorTest, FailsWhenThereIsNoProgram) {
  SuccessorOptions options;
  options.program = "/nonexistent/program";
  EXPECT_FALSE(succeed("", options));
}

TEST_F(SuccessorTest, KillsOneThatIsNotReadyInTime) {
  SuccessorOptions options;
  const std::vector<SocketToHand> sockets = {{.fd = write_end_.get(), .listen = "x", .name = ""}};
  options.limit = milliseconds(50);
  const auto pid = succeed("exec sleep 1000", options, sockets);
  ASSERT_FALSE(pid);
  EXPECT_EQ(pid.error().code, Errc::TimedOut);
  write_end_.reset();
  pollfd gone{.fd = read_end_.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&gone, 1, 10'000), 1) << "it lives on";
}

// SIGTERM in the middle of a hand-over: nobody would be left to end the new one.
TEST_F(SuccessorTest, EndsOneThatIsGivenUp) {
  SuccessorOptions options;
  options.program = "/bin/sh";
  options.arguments = {"new-program", "-c", "echo up >&4; exec sleep 1000"};
  const std::vector<SocketToHand> sockets = {{.fd = write_end_.get(), .listen = "x", .name = ""}};
  auto started = Successor::start(loop_, SuccessorStarter(options), sockets,
                                  [](const Result<pid_t>&) { FAIL(); });
  ASSERT_TRUE(started);
  write_end_.reset();
  std::array<char, 8> text{};
  ASSERT_GT(::read(read_end_.get(), text.data(), text.size()), 0) << "it never ran";
  started->reset();
  pollfd gone{.fd = read_end_.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&gone, 1, 10'000), 1) << "it lives on";
  EXPECT_EQ(::read(read_end_.get(), text.data(), text.size()), 0);
}

TEST(Predecessor, IsNotThereInAUsualStart) {
  ::unsetenv("WSPROXY_PREDECESSOR");
  auto predecessor = Predecessor::from_environment();
  ASSERT_TRUE(predecessor);
  EXPECT_FALSE(predecessor->exists());
  EXPECT_TRUE(predecessor->sockets().empty());
  predecessor->take_over();
}

TEST(Predecessor, HandsSocketsOverAndWaitsToBeConfirmed) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
  const UniqueFd other(pair[0]);
  const int first = ::open("/dev/null", O_RDONLY);
  const int second = ::open("/dev/null", O_RDONLY);
  const std::string value = std::to_string(pair[1]) + "\n" + std::to_string(first) +
                            " - unix:/run/a b.sock\n" + std::to_string(second) + " wss systemd";
  ::setenv("WSPROXY_PREDECESSOR", value.c_str(), 1);
  auto predecessor = Predecessor::from_environment();
  ASSERT_TRUE(predecessor) << predecessor.error().message();
  EXPECT_EQ(::getenv("WSPROXY_PREDECESSOR"), nullptr);
  ASSERT_EQ(predecessor->sockets().size(), 2U);
  EXPECT_EQ(predecessor->sockets()[0].listen, "unix:/run/a b.sock");
  EXPECT_EQ(predecessor->sockets()[0].name, "");
  EXPECT_EQ(predecessor->sockets()[1].name, "wss");
  EXPECT_EQ(predecessor->sockets()[1].fd.get(), second);
  EXPECT_EQ(::fcntl(first, F_GETFD), FD_CLOEXEC);
  ASSERT_EQ(::send(other.get(), "C", 1, 0), 1);
  predecessor->take_over();
  char ready = 0;
  EXPECT_EQ(::recv(other.get(), &ready, 1, MSG_DONTWAIT), 1);
  EXPECT_EQ(ready, 'R');
  EXPECT_FALSE(predecessor->exists());
}

TEST(Predecessor, RefusesAnEnvironmentThatDoesNotFit) {
  for (const char* value : {"", "x", "1", "99999", "99999\n4 - systemd", "3x"}) {
    ::setenv("WSPROXY_PREDECESSOR", value, 1);
    const auto predecessor = Predecessor::from_environment();
    ASSERT_FALSE(predecessor) << value;
    EXPECT_EQ(predecessor.error().code, Errc::Invalid);
  }
}

}  // namespace
}  // namespace wsproxy::daemon
