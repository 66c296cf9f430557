#include "io/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "base/log.h"
#include "support/fake_clock.h"

namespace wsproxy::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeClock;

UniqueFd listening() {
  auto sockets = listen_on({"127.0.0.1", 0});
  if (!sockets) {
    ADD_FAILURE() << sockets.error().message();
    return UniqueFd();
  }
  EXPECT_EQ(sockets->size(), 1U);
  return std::move(sockets->front());
}

// A connection to a local address; empty when it is refused.
UniqueFd connect_to(const SocketAddress& address) {
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), address.get(), address.length()) != 0) return UniqueFd();
  return fd;
}

TEST(ListenOn, GivesASocketThatIsListening) {
  const UniqueFd socket = listening();
  ASSERT_TRUE(socket);
  EXPECT_NE(::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(::fcntl(socket.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(local_address(socket.get()).port(), 0);
  EXPECT_TRUE(connect_to(local_address(socket.get())));
}

TEST(ListenOn, WithoutHostTakesBothFamilies) {
  const auto sockets = listen_on({"", 0});
  ASSERT_TRUE(sockets) << sockets.error().message();
  ASSERT_EQ(sockets->size(), 1U);
  const SocketAddress address = local_address(sockets->front().get());
  EXPECT_TRUE(address.is_wildcard());
  EXPECT_TRUE(connect_to(*SocketAddress::numeric("127.0.0.1", address.port())));
  if (address.family() == AF_INET6) {
    EXPECT_TRUE(connect_to(*SocketAddress::numeric("::1", address.port())));
  }
}

TEST(ListenOn, ANameGetsASocketForEachAddressWithOnePort) {
  const auto sockets = listen_on({"localhost", 0});
  ASSERT_TRUE(sockets) << sockets.error().message();
  ASSERT_FALSE(sockets->empty());
  const std::uint16_t port = local_address(sockets->front().get()).port();
  EXPECT_NE(port, 0);
  for (const UniqueFd& socket : *sockets) {
    EXPECT_EQ(local_address(socket.get()).port(), port);
    EXPECT_TRUE(connect_to(local_address(socket.get())));
  }
}

TEST(ListenOn, AnAddressInUseIsNamed) {
  const UniqueFd socket = listening();
  const std::uint16_t port = local_address(socket.get()).port();
  const auto second = listen_on({"127.0.0.1", port});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::Io);
  EXPECT_EQ(second.error().sys, EADDRINUSE);
  EXPECT_EQ(second.error().message(),
            "cannot listen on 127.0.0.1:" + std::to_string(port) + ": address already in use");
}

TEST(ListenOn, AnAddressThatIsNotOursIsNamed) {
  const auto sockets = listen_on({"203.0.113.7", 0});  // RFC 5737: nobody's
  ASSERT_FALSE(sockets);
  EXPECT_EQ(sockets.error().message(),
            "cannot listen on 203.0.113.7:0: cannot assign requested address");
}

TEST(ListenOn, AnUnknownNameIsNamed) {
  // a label of over 63 bytes cannot exist: no server has to be asked
  const std::string name(70, 'x');
  const auto sockets = listen_on({name, 0});
  ASSERT_FALSE(sockets);
  EXPECT_EQ(sockets.error().code, Errc::NotFound);
  EXPECT_TRUE(sockets.error().text.starts_with("cannot listen on " + name + ": "));
}

TEST(Listener, HandsOutConnections) {
  const FakeClock clock;
  EventLoop loop(clock);
  std::vector<UniqueFd> accepted;
  Listener listener(loop, listening(), [&](UniqueFd fd) { accepted.push_back(std::move(fd)); });
  const SocketAddress address = listener.address();
  const UniqueFd first = connect_to(address);
  const UniqueFd second = connect_to(address);
  ASSERT_TRUE(first && second);
  loop.turn(Duration::zero());
  EXPECT_TRUE(accepted.empty()) << "not started yet";
  listener.start();
  loop.turn(seconds(10));
  ASSERT_EQ(accepted.size(), 2U);
  EXPECT_EQ(peer_address(accepted[0].get()).to_string(), local_address(first.get()).to_string());
  for (const UniqueFd& fd : accepted) {
    EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_NE(::fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
  }
}

TEST(Listener, RefusesConnectionsOnceStopped) {
  const FakeClock clock;
  EventLoop loop(clock);
  int accepted = 0;
  Listener listener(loop, listening(), [&](UniqueFd) { ++accepted; });
  listener.start();
  const SocketAddress address = listener.address();
  listener.stop();
  EXPECT_FALSE(connect_to(address));
  loop.turn(Duration::zero());
  EXPECT_EQ(accepted, 0);
}

TEST(Listener, MayBeStoppedByTheCallback) {
  const FakeClock clock;
  EventLoop loop(clock);
  int accepted = 0;
  std::unique_ptr<Listener> listener;
  listener = std::make_unique<Listener>(loop, listening(), [&](UniqueFd) {
    ++accepted;
    listener->stop();
  });
  listener->start();
  const SocketAddress address = listener->address();
  const UniqueFd first = connect_to(address);
  const UniqueFd second = connect_to(address);
  loop.turn(seconds(10));
  loop.turn(Duration::zero());
  EXPECT_EQ(accepted, 1);
}

TEST(Listener, GivesOthersTheirTurnAfter32Connections) {
  const FakeClock clock;
  EventLoop loop(clock);
  std::size_t accepted = 0;
  Listener listener(loop, listening(), [&](UniqueFd) { ++accepted; });
  listener.start();
  std::vector<UniqueFd> clients;
  clients.reserve(40);
  for (int i = 0; i < 40; ++i) clients.push_back(connect_to(listener.address()));
  loop.turn(seconds(10));
  EXPECT_EQ(accepted, 32U);
  loop.turn(seconds(10));
  EXPECT_EQ(accepted, 40U);
}

TEST(Listener, OutOfDescriptorsItPausesInsteadOfSpinning) {
  FakeClock clock;
  EventLoop loop(clock);
  std::vector<UniqueFd> accepted;
  Listener listener(loop, listening(), [&](UniqueFd fd) { accepted.push_back(std::move(fd)); });
  listener.start();
  const UniqueFd client = connect_to(listener.address());
  ASSERT_TRUE(client);

  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  log::set_fd(null.get());
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const UniqueFd lowest_free(::dup(client.get()));
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free.get());
  ::setrlimit(RLIMIT_NOFILE, &none);
  loop.turn(Duration::zero());
  const auto next = loop.timers().next_in();
  clock.advance(milliseconds(99));
  loop.turn(Duration::zero());
  const bool waited = accepted.empty();
  ::setrlimit(RLIMIT_NOFILE, &before);
  loop.turn(Duration::zero());
  const bool still_waits = accepted.empty();
  log::set_fd(STDERR_FILENO);

  EXPECT_EQ(next, Duration(milliseconds(100)));
  EXPECT_TRUE(waited);
  EXPECT_TRUE(still_waits) << "not watched before the time is up";
  clock.advance(milliseconds(1));
  loop.turn(Duration::zero());
  loop.turn(Duration::zero());
  EXPECT_EQ(accepted.size(), 1U) << "the connection has waited in the queue";
}

}  // namespace
}  // namespace wsproxy::io
