#include "io/dial.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "io/listener.h"
#include "support/builders.h"
#include "support/fake_clock.h"

namespace wsproxy::io {
namespace {

using std::chrono::seconds;
using test::FakeClock;

TEST(Endpoint, IsShownAsItIsWritten) {
  EXPECT_EQ((Endpoint{"localhost", 5900, ""}).to_string(), "localhost:5900");
  EXPECT_EQ((Endpoint{"127.0.0.1", 1, ""}).to_string(), "127.0.0.1:1");
  EXPECT_EQ((Endpoint{"::1", 5900, ""}).to_string(), "[::1]:5900");
  EXPECT_EQ((Endpoint{"", 0, "/run/vnc"}).to_string(), "unix:/run/vnc");
  EXPECT_EQ((Endpoint{"ignored", 80, "/run/vnc"}).to_string(), "unix:/run/vnc");
}

// --- the order of addresses ---

std::string interleaved(const std::vector<std::string_view>& hosts) {
  std::vector<SocketAddress> addresses;
  addresses.reserve(hosts.size());
  for (const std::string_view host : hosts) addresses.push_back(*SocketAddress::numeric(host, 0));
  std::string text;
  for (const SocketAddress& address : interleave_families(addresses)) text += address.host() + " ";
  return text;
}

TEST(InterleaveFamilies, AlternatesBeginningWithTheFirst) {
  EXPECT_EQ(interleaved({"::1", "::2", "::3", "10.0.0.1", "10.0.0.2"}),
            "[::1] 10.0.0.1 [::2] 10.0.0.2 [::3] ");
  EXPECT_EQ(interleaved({"10.0.0.1", "10.0.0.2", "::1"}), "10.0.0.1 [::1] 10.0.0.2 ");
  EXPECT_EQ(interleaved({"10.0.0.1", "::1", "::2", "::3"}), "10.0.0.1 [::1] [::2] [::3] ");
  EXPECT_EQ(interleaved({"::1", "10.0.0.1", "::2", "10.0.0.2"}), "[::1] 10.0.0.1 [::2] 10.0.0.2 ");
}

TEST(InterleaveFamilies, KeepsTheOrderWithinAFamily) {
  EXPECT_EQ(interleaved({"10.0.0.3", "10.0.0.1", "10.0.0.2"}), "10.0.0.3 10.0.0.1 10.0.0.2 ");
  EXPECT_EQ(interleaved({"::9", "::3", "::5"}), "[::9] [::3] [::5] ");
}

TEST(InterleaveFamilies, TakesNoneAndOne) {
  EXPECT_EQ(interleaved({}), "");
  EXPECT_EQ(interleaved({"::1"}), "[::1] ");
}

// --- connecting ---

class SocketDialerTest : public testing::Test {
 protected:
  void dial(const Endpoint& target, const DialLimits& limits = {}) {
    dial_ = dialer_.dial(target, limits, [this] { ++wakes_; });
    EXPECT_TRUE(dial_->pending());
    EXPECT_EQ(wakes_, 0) << "never from within the call";
  }

  void turn_until_done() {
    const auto end = std::chrono::steady_clock::now() + seconds(60);
    while (dial_->pending() && std::chrono::steady_clock::now() < end) loop_.turn(seconds(1));
    EXPECT_FALSE(dial_->pending());
    EXPECT_EQ(wakes_, 1);
  }

  [[nodiscard]] std::string error_after(Errc code) {
    turn_until_done();
    auto stream = dial_->take();
    if (stream) return "connected";
    EXPECT_EQ(stream.error().code, code) << stream.error().message();
    return stream.error().message();
  }

  FakeClock clock_;
  EventLoop loop_{clock_};
  Resolver resolver_{loop_};
  SocketDialer dialer_{loop_, resolver_};
  std::unique_ptr<Dial> dial_;
  int wakes_ = 0;
};

UniqueFd listening(const char* host) {
  auto sockets = listen_on({host, 0});
  return sockets ? std::move(sockets->front()) : UniqueFd();
}

TEST_F(SocketDialerTest, ConnectsToANumericAddress) {
  const UniqueFd server = listening("127.0.0.1");
  const std::uint16_t port = local_address(server.get()).port();
  dial({"127.0.0.1", port, ""});
  turn_until_done();
  const auto stream = dial_->take();
  ASSERT_TRUE(stream) << stream.error().message();
  const UniqueFd accepted(::accept4(server.get(), nullptr, nullptr, SOCK_NONBLOCK));
  ASSERT_TRUE(accepted);
  const std::array parts = {as_bytes("hello")};
  EXPECT_TRUE((*stream)->write(parts).is_ok());
  std::array<char, 8> text{};
  EXPECT_EQ(::recv(accepted.get(), text.data(), text.size(), 0), 5);
}

TEST_F(SocketDialerTest, AConnectionHasTheUserTimeoutThatIsAskedFor) {
  const UniqueFd server = listening("127.0.0.1");
  dial({"127.0.0.1", local_address(server.get()).port(), ""}, {.user_timeout = seconds(7)});
  turn_until_done();
  const auto stream = dial_->take();
  ASSERT_TRUE(stream) << stream.error().message();
  int ms = 0;
  socklen_t length = sizeof ms;
  EXPECT_EQ(::getsockopt((*stream)->fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &length), 0);
  EXPECT_EQ(ms, 7000);
}

TEST_F(SocketDialerTest, ConnectsToANameAtWhicheverAddressAnswers) {
  // localhost may have two addresses, of which one has nobody behind it
  const UniqueFd server = listening("127.0.0.1");
  dial({"localhost", local_address(server.get()).port(), ""});
  turn_until_done();
  const auto stream = dial_->take();
  EXPECT_TRUE(stream) << stream.error().message();
}

TEST_F(SocketDialerTest, ConnectsToAUnixSocket) {
  std::string directory = std::filesystem::temp_directory_path() / "wsproxy-dial-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/vnc";
  const UniqueFd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = SocketAddress::unix_path(path);
  ASSERT_TRUE(server && address);
  ASSERT_EQ(::bind(server.get(), address->get(), address->length()), 0);
  ASSERT_EQ(::listen(server.get(), 5), 0);
  dial({"", 0, path});
  turn_until_done();
  EXPECT_TRUE(dial_->take());
  std::filesystem::remove_all(directory);
}

TEST_F(SocketDialerTest, AClosedPortIsRefused) {
  std::uint16_t port = 0;
  {
    const UniqueFd server = listening("127.0.0.1");
    port = local_address(server.get()).port();
  }
  dial({"127.0.0.1", port, ""});
  EXPECT_EQ(error_after(Errc::Refused),
            "cannot reach 127.0.0.1:" + std::to_string(port) + ": connection refused");
}

TEST_F(SocketDialerTest, AMissingUnixSocketIsRefused) {
  dial({"", 0, "/no/such/socket"});
  EXPECT_EQ(error_after(Errc::Refused),
            "cannot reach unix:/no/such/socket: no such file or directory");
}

TEST_F(SocketDialerTest, AUnixPathThatIsTooLongSaysWhatIsWrong) {
  const std::string path = "/" + std::string(200, 'x');
  dial({"", 0, path});
  turn_until_done();
  const auto stream = dial_->take();
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().message().find("success"), std::string::npos)
      << stream.error().message();
}

TEST_F(SocketDialerTest, AnUnknownNameIsNotFound) {
  const std::string name(70, 'x');
  dial({name, 5900, ""});
  EXPECT_EQ(error_after(Errc::NotFound), "cannot reach " + name + ":5900: no such host");
}

TEST_F(SocketDialerTest, ALookupThatTakesTooLongTimesOut) {
  ::kill(resolver_.helper_pid(), SIGSTOP);
  dial({"localhost", 5900, ""}, {.lookup = seconds(5), .connect = seconds(10)});
  clock_.advance(seconds(5));
  EXPECT_EQ(error_after(Errc::TimedOut), "cannot reach localhost:5900: name look-up timed out");
}

TEST_F(SocketDialerTest, ATargetThatDoesNotAnswerTimesOut) {
  // a Unix socket tells at once, a TCP one with a full queue never
  const UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_TRUE(server);
  const auto any = *SocketAddress::numeric("127.0.0.1", 0);
  ASSERT_EQ(::bind(server.get(), any.get(), any.length()), 0);
  ASSERT_EQ(::listen(server.get(), 0), 0);
  const SocketAddress address = local_address(server.get());
  std::vector<UniqueFd> queue;
  for (int i = 0; i < 8; ++i) {
    queue.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    (void)::connect(queue.back().get(), address.get(), address.length());
  }
  dial({"127.0.0.1", address.port(), ""}, {.lookup = seconds(5), .connect = seconds(10)});
  loop_.turn(Duration::zero());
  loop_.turn(Duration::zero());
  if (!dial_->pending()) GTEST_SKIP() << "this kernel's queue is never full";
  clock_.advance(seconds(10) - std::chrono::nanoseconds(1));
  loop_.turn(Duration::zero());
  EXPECT_TRUE(dial_->pending());
  clock_.advance(std::chrono::nanoseconds(1));
  EXPECT_EQ(error_after(Errc::TimedOut),
            "cannot reach " + address.to_string() + ": connection timed out");
}

TEST_F(SocketDialerTest, CancelledByItsDestructorItWakesNobody) {
  const UniqueFd server = listening("127.0.0.1");
  dial({"127.0.0.1", local_address(server.get()).port(), ""});
  dial_.reset();
  loop_.turn(Duration::zero());
  dial({"localhost", local_address(server.get()).port(), ""});
  dial_.reset();
  loop_.turn(Duration::zero());
  EXPECT_EQ(wakes_, 0);
}

TEST_F(SocketDialerTest, CancelledWhileItConnectsItWakesNobody) {
  // addresses for documentation (RFC 5737): nobody answers, if they can be reached at all
  dial({"192.0.2.1", 9, ""});
  loop_.timers().run();  // the attempt begins
  dial_.reset();
  loop_.turn(Duration::zero());
  EXPECT_LE(wakes_, 1) << "it may have failed at once";
}

TEST_F(SocketDialerTest, ATargetOnThisMachineIsReachedInOneTurn) {
  const UniqueFd server = listening("127.0.0.1");
  dial({"127.0.0.1", local_address(server.get()).port(), ""});
  loop_.timers().run();
  EXPECT_FALSE(dial_->pending());
  EXPECT_EQ(wakes_, 1);
  EXPECT_TRUE(dial_->take());
}

}  // namespace
}  // namespace wsproxy::io
