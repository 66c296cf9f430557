#include "io/resolver.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "support/fake_clock.h"

namespace wsproxy::io {
namespace {

using std::chrono::seconds;
using test::FakeClock;

// Turns the loop until `done`, at most for as long as a broken machine may take.
void turn_until(EventLoop& loop, const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + seconds(60);
  while (!done() && std::chrono::steady_clock::now() < end) loop.turn(seconds(1));
  EXPECT_TRUE(done());
}

bool all_loopback(const std::vector<SocketAddress>& addresses) {
  for (const SocketAddress& address : addresses) {
    const std::string host = address.host();
    if (!host.starts_with("127.") && host != "[::1]") return false;
  }
  return !addresses.empty();
}

// What the resolver logs about its helper is expected here.
class QuietLog {
 public:
  QuietLog() { log::set_level(log::Level::Error), log::set_fd(fd_[1]); }
  ~QuietLog() {
    log::set_fd(STDERR_FILENO);
    log::set_level(log::Level::Info);
    ::close(fd_[0]);
    ::close(fd_[1]);
  }
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;

 private:
  std::array<int, 2> fd_ = [] {
    std::array<int, 2> ends{-1, -1};
    EXPECT_EQ(::pipe(ends.data()), 0);
    return ends;
  }();
};

TEST(Resolver, FindsLocalhost) {
  const SystemClock clock;
  EventLoop loop(clock);
  Resolver resolver(loop);
  int wakes = 0;
  const auto lookup = resolver.lookup("localhost", seconds(60), [&] { ++wakes; });
  EXPECT_TRUE(lookup->pending());
  EXPECT_EQ(wakes, 0);
  turn_until(loop, [&] { return wakes > 0; });
  EXPECT_FALSE(lookup->pending());
  const auto addresses = lookup->take();
  ASSERT_TRUE(addresses) << addresses.error().message();
  EXPECT_TRUE(all_loopback(*addresses));
  for (const SocketAddress& address : *addresses) EXPECT_EQ(address.port(), 0);
  EXPECT_EQ(wakes, 1);
}

TEST(Resolver, AnImpossibleNameIsNotFound) {
  const SystemClock clock;
  EventLoop loop(clock);
  Resolver resolver(loop);
  bool done = false;
  // a label of over 63 bytes: no server has to be asked
  const auto lookup = resolver.lookup(std::string(70, 'x'), seconds(60), [&] { done = true; });
  turn_until(loop, [&] { return done; });
  const auto addresses = lookup->take();
  ASSERT_FALSE(addresses);
  EXPECT_EQ(addresses.error().code, Errc::NotFound);
  EXPECT_EQ(addresses.error().text, "no such host");
}

TEST(Resolver, AnInvalidNameIsNotFound) {
  const SystemClock clock;
  EventLoop loop(clock);
  Resolver resolver(loop);
  bool done = false;
  const auto lookup = resolver.lookup("no-such-host.invalid", seconds(60), [&] { done = true; });
  turn_until(loop, [&] { return done; });
  const auto addresses = lookup->take();
  ASSERT_FALSE(addresses);
  EXPECT_EQ(addresses.error().code, Errc::NotFound) << addresses.error().message();
}

TEST(Resolver, AnswersMoreThanAreAskedAtOnce) {
  const SystemClock clock;
  EventLoop loop(clock);
  Resolver resolver(loop);
  std::vector<std::unique_ptr<Lookup>> lookups;
  lookups.reserve(50);
  int done = 0;
  for (int i = 0; i < 50; ++i) {
    lookups.push_back(resolver.lookup("localhost", seconds(60), [&] { ++done; }));
  }
  turn_until(loop, [&] { return done == 50; });
  for (const auto& lookup : lookups) {
    const auto addresses = lookup->take();
    ASSERT_TRUE(addresses);
    EXPECT_TRUE(all_loopback(*addresses));
  }
}

TEST(Resolver, ACancelledLookupWakesNobody) {
  const SystemClock clock;
  EventLoop loop(clock);
  Resolver resolver(loop);
  bool woken = false;
  auto cancelled = resolver.lookup("localhost", seconds(60), [&] { woken = true; });
  cancelled.reset();
  bool done = false;
  const auto other = resolver.lookup("localhost", seconds(60), [&] { done = true; });
  turn_until(loop, [&] { return done; });
  EXPECT_FALSE(woken);
  EXPECT_TRUE(other->take());
}

TEST(Resolver, CancellingTheFirstLetsTheWaitingGoOn) {
  const SystemClock clock;
  EventLoop loop(clock);
  Resolver resolver(loop);
  std::vector<std::unique_ptr<Lookup>> lookups;
  lookups.reserve(50);
  int done = 0;
  ::kill(resolver.helper_pid(), SIGSTOP);
  for (int i = 0; i < 40; ++i) {
    lookups.push_back(resolver.lookup("localhost", seconds(60), [&] { ++done; }));
  }
  lookups.erase(lookups.begin(), lookups.begin() + 32);
  ::kill(resolver.helper_pid(), SIGCONT);
  turn_until(loop, [&] { return done == 8; });
  loop.turn(Duration::zero());
  EXPECT_EQ(done, 8);
}

TEST(Resolver, ALookupTimesOutWhenTheHelperHangs) {
  FakeClock clock;
  EventLoop loop(clock);
  Resolver resolver(loop);
  ::kill(resolver.helper_pid(), SIGSTOP);
  int wakes = 0;
  const auto lookup = resolver.lookup("localhost", seconds(5), [&] { ++wakes; });
  clock.advance(seconds(5) - std::chrono::nanoseconds(1));
  loop.turn(Duration::zero());
  EXPECT_TRUE(lookup->pending());
  clock.advance(std::chrono::nanoseconds(1));
  loop.turn(Duration::zero());
  EXPECT_FALSE(lookup->pending());
  EXPECT_EQ(wakes, 1);
  const auto addresses = lookup->take();
  ASSERT_FALSE(addresses);
  EXPECT_EQ(addresses.error().code, Errc::TimedOut);
  EXPECT_EQ(addresses.error().text, "name look-up timed out");
}

TEST(Resolver, ALookupThatTimedOutLeavesTheNextAlone) {
  FakeClock clock;
  EventLoop loop(clock);
  Resolver resolver(loop);
  ::kill(resolver.helper_pid(), SIGSTOP);
  const auto first = resolver.lookup("localhost", seconds(5), [] {});
  bool done = false;
  const auto second = resolver.lookup("localhost", seconds(3600), [&] { done = true; });
  clock.advance(seconds(5));
  loop.turn(Duration::zero());
  EXPECT_FALSE(first->pending());
  ::kill(resolver.helper_pid(), SIGCONT);
  turn_until(loop, [&] { return done; });
  EXPECT_TRUE(second->take());
}

TEST(Resolver, AHelperThatDiesIsStartedAgainAndAskedAgain) {
  const QuietLog quiet;
  const SystemClock clock;
  EventLoop loop(clock);
  Resolver resolver(loop);
  const pid_t helper = resolver.helper_pid();
  ::kill(helper, SIGSTOP);
  std::vector<std::unique_ptr<Lookup>> lookups;
  lookups.reserve(50);
  int done = 0;
  for (int i = 0; i < 40; ++i) {
    lookups.push_back(resolver.lookup("localhost", seconds(60), [&] { ++done; }));
  }
  ::kill(helper, SIGKILL);
  turn_until(loop, [&] { return done == 40; });
  EXPECT_NE(resolver.helper_pid(), helper);
  for (const auto& lookup : lookups) EXPECT_TRUE(lookup->take());
}

TEST(Resolver, AHelperThatCannotLiveIsStartedOnceASecond) {
  const QuietLog quiet;
  FakeClock clock;
  EventLoop loop(clock);
  Resolver resolver(loop, [] { return Status(fail(Errc::Io, "it cannot live")); });
  turn_until(loop, [&] { return resolver.helper_pid() < 0; });
  const auto lookup = resolver.lookup("localhost", seconds(60), [] {});
  EXPECT_LT(resolver.helper_pid(), 0);
  for (int second = 0; second < 3; ++second) {
    clock.advance(seconds(1));
    turn_until(loop, [&] { return resolver.helper_pid() > 0; });
    turn_until(loop, [&] { return resolver.helper_pid() < 0; });
  }
  EXPECT_TRUE(lookup->pending());
}

TEST(Resolver, AHelperThatDiedWhileIdleIsNoLossForTheNextLookup) {
  const QuietLog quiet;
  const SystemClock clock;
  EventLoop loop(clock);
  Resolver resolver(loop);
  const pid_t helper = resolver.helper_pid();
  ::kill(helper, SIGKILL);
  bool done = false;
  const auto lookup = resolver.lookup("localhost", seconds(60), [&] { done = true; });
  turn_until(loop, [&] { return done; });
  EXPECT_TRUE(lookup->take());
  EXPECT_NE(resolver.helper_pid(), helper);
}

TEST(Resolver, TheHelperEndsWithTheResolver) {
  const SystemClock clock;
  EventLoop loop(clock);
  pid_t helper = -1;
  {
    const Resolver resolver(loop);
    helper = resolver.helper_pid();
    EXPECT_EQ(::kill(helper, 0), 0);
  }
  EXPECT_NE(::kill(helper, 0), 0) << "ended and waited for";
}

TEST(Resolver, HelperPreparesItselfBeforeItServes) {
  const SystemClock clock;
  EventLoop loop(clock);
  const pid_t us = ::getpid();
  std::array<int, 2> ends{-1, -1};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd from(ends[0]);
  const UniqueFd to(ends[1]);
  const Resolver resolver(loop, [&]() -> Status {
    const pid_t helper = ::getpid();
    EXPECT_NE(helper, us);
    EXPECT_EQ(::write(to.get(), &helper, sizeof helper), static_cast<ssize_t>(sizeof helper));
    return {};
  });
  pid_t told = 0;
  ASSERT_EQ(::read(from.get(), &told, sizeof told), static_cast<ssize_t>(sizeof told));
  EXPECT_EQ(told, resolver.helper_pid());
}

// A script that reads all that the daemon prints waits until nobody holds the other end.
TEST(Resolver, HelperLetsGoOfStandardOutput) {
  const SystemClock clock;
  EventLoop loop(clock);
  std::array<int, 2> ends{-1, -1};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  const UniqueFd output(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  ASSERT_GE(::dup2(to.get(), STDOUT_FILENO), 0);
  const Resolver resolver(loop);
  ASSERT_GE(::dup2(output.get(), STDOUT_FILENO), 0);
  to.reset();
  pollfd closed{from.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&closed, 1, 60'000), 1);
  EXPECT_NE(closed.revents & POLLHUP, 0);
}

}  // namespace
}  // namespace wsproxy::io
