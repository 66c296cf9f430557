#include "io/event_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <new>
#include <string>

#include "support/fake_clock.h"
#include "support/log_capture.h"

namespace wsproxy::io {
namespace {

using std::chrono::seconds;
using test::FakeClock;

// Two connected sockets.
struct Pair {
  Pair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    near = UniqueFd(ends[0]);
    far = UniqueFd(ends[1]);
  }
  void far_sends(std::string_view text) const {
    EXPECT_EQ(::send(far.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  UniqueFd near, far;
};

std::string words(Ready ready) {
  return std::string(ready.read ? "r" : "") + (ready.write ? "w" : "") + (ready.hang_up ? "h" : "");
}

TEST(EventLoop, CallsAWatchForWhatItAskedFor) {
  const FakeClock clock;
  EventLoop loop(clock);
  const Pair pair;
  std::string seen;
  Watch watch(loop, pair.near.get(), [&](Ready ready) { seen += words(ready) + " "; });
  loop.turn(Duration::zero());
  EXPECT_EQ(seen, "") << "no interest yet";
  watch.set({.write = true});
  loop.turn(Duration::zero());
  EXPECT_EQ(seen, "w ");
  pair.far_sends("x");
  watch.set({.read = true});
  loop.turn(Duration::zero());
  EXPECT_EQ(seen, "w r ");
  watch.set({.read = true, .write = true});
  loop.turn(Duration::zero());
  EXPECT_EQ(seen, "w r rw ");
  watch.set({});
  loop.turn(Duration::zero());
  EXPECT_EQ(seen, "w r rw ");
}

TEST(EventLoop, IsLevelTriggered) {
  const FakeClock clock;
  EventLoop loop(clock);
  const Pair pair;
  int calls = 0;
  Watch watch(loop, pair.near.get(), [&](Ready) { ++calls; });
  watch.set({.read = true});
  pair.far_sends("x");
  loop.turn(Duration::zero());
  loop.turn(Duration::zero());
  EXPECT_EQ(calls, 2) << "nobody has read it";
}

TEST(EventLoop, ReportsAHangUpToThoseWhoAsk) {
  const FakeClock clock;
  EventLoop loop(clock);
  Pair pair;
  std::string seen;
  Watch watch(loop, pair.near.get(), [&](Ready ready) { seen += words(ready) + " "; });
  watch.set({.hang_up = true});
  loop.turn(Duration::zero());
  EXPECT_EQ(seen, "");
  pair.far.reset();
  loop.turn(Duration::zero());
  EXPECT_EQ(seen, "h ");
}

TEST(EventLoop, ReportsAnErrorAloneToThoseWhoAskForNothingElse) {
  const FakeClock clock;
  EventLoop loop(clock);
  Pair pair;
  std::string seen;
  Watch watch(loop, pair.near.get(), [&](Ready ready) { seen += words(ready) + " "; });
  watch.set({.error = true});
  pair.far_sends("x");
  ::shutdown(pair.far.get(), SHUT_WR);
  loop.turn(Duration::zero());
  EXPECT_EQ(seen, "") << "bytes and their end are no error";
  pair.far.reset();
  loop.turn(Duration::zero());
  EXPECT_EQ(seen, "h ");
}

TEST(EventLoop, RemembersTheInterest) {
  const FakeClock clock;
  EventLoop loop(clock);
  const Pair pair;
  Watch watch(loop, pair.near.get(), [](Ready) {});
  EXPECT_EQ(watch.interest(), Interest{});
  watch.set({.read = true, .hang_up = true});
  EXPECT_EQ(watch.interest(), (Interest{.read = true, .hang_up = true}));
}

TEST(EventLoop, OneThatRunsOutOfMemoryLeavesTheOthersAlone) {
  const test::LogCapture log;
  const FakeClock clock;
  EventLoop loop(clock);
  const Pair first;
  const Pair second;
  int called = 0;
  Watch a(loop, first.near.get(), [&](Ready) { throw std::bad_alloc(); });
  Watch b(loop, second.near.get(), [&](Ready) { ++called; });
  a.set({.read = true});
  b.set({.read = true});
  first.far_sends("x");
  second.far_sends("x");
  Timer timer(loop.timers(), [] { throw std::bad_alloc(); });
  timer.arm(Duration::zero());
  Timer other(loop.timers(), [&] { ++called; });
  other.arm(Duration::zero());
  loop.defer([] { throw std::bad_alloc(); });
  loop.defer([&] { ++called; });
  loop.turn(Duration::zero());
  b.set({});
  loop.turn(Duration::zero());
  EXPECT_EQ(called, 3);
  EXPECT_NE(log.take().find("out of memory"), std::string::npos);
}

TEST(EventLoop, WhatIsDeferredRunsOnceAndMayDestroyItself) {
  const FakeClock clock;
  EventLoop loop(clock);
  int calls = 0;
  std::unique_ptr<Deferred> suicide;
  auto work = [&] {
    ++calls;
    suicide.reset();
  };
  suicide = std::make_unique<Deferred>(loop, std::ref(work));
  Deferred again(loop, [&] { ++calls; });
  suicide->run_soon();
  suicide->run_soon();
  again.run_soon();
  {
    Deferred dies(loop, [&] { ADD_FAILURE() << "it is gone"; });
    dies.run_soon();
  }
  EXPECT_EQ(calls, 0);
  loop.turn(std::chrono::hours(1));  // does not wait
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(suicide, nullptr);
}

TEST(EventLoop, AWatchOfNoDescriptorIsNeverReady) {
  const FakeClock clock;
  EventLoop loop(clock);
  int calls = 0;
  Watch watch(loop, -1, [&](Ready) { ++calls; });
  watch.set({.read = true, .write = true, .hang_up = true});
  loop.turn(Duration::zero());
  watch.set({});
  EXPECT_EQ(calls, 0);
}

// Two watches that are ready in the same turn, and each does `what` to the other one: how many are called.
int called_of_two(void (*what)(std::unique_ptr<Watch>& other)) {
  const FakeClock clock;
  EventLoop loop(clock);
  const Pair pairs[2];
  std::array<std::unique_ptr<Watch>, 2> watches;
  int calls = 0;
  auto first = [&](Ready) {
    what(watches[1]);
    ++calls;
  };
  auto second = [&](Ready) {
    what(watches[0]);
    ++calls;
  };
  watches[0] = std::make_unique<Watch>(loop, pairs[0].near.get(), std::ref(first));
  watches[1] = std::make_unique<Watch>(loop, pairs[1].near.get(), std::ref(second));
  for (const auto& watch : watches) watch->set({.write = true});
  loop.turn(Duration::zero());
  return calls;
}

TEST(EventLoop, AWatchDestroyedByAnotherInTheSameTurnIsNotCalled) {
  EXPECT_EQ(called_of_two([](auto& other) { other.reset(); }), 1);
}

TEST(EventLoop, AWatchThatLostItsInterestInTheSameTurnIsNotCalled) {
  EXPECT_EQ(called_of_two([](auto& other) { other->set({}); }), 1);
}

TEST(EventLoop, CallsMoreWatchesThanOneBatchHolds) {
  const FakeClock clock;
  EventLoop loop(clock);
  constexpr std::size_t kMany = 300;
  const std::vector<Pair> pairs(kMany);
  struct Counting {
    Counting(EventLoop& loop, int fd)
        : watch(loop, fd, [this](Ready) {
            ++calls;
            watch.set({});
          }) {
      watch.set({.write = true});
    }
    int calls = 0;
    Watch watch;
  };
  std::vector<std::unique_ptr<Counting>> watches;
  watches.reserve(pairs.size());
  for (const Pair& pair : pairs) {
    watches.push_back(std::make_unique<Counting>(loop, pair.near.get()));
  }
  loop.turn(Duration::zero());
  loop.turn(Duration::zero());
  for (const auto& watch : watches) EXPECT_EQ(watch->calls, 1);
}

TEST(EventLoop, RunsTimersThatAreDue) {
  FakeClock clock;
  EventLoop loop(clock);
  int calls = 0;
  Timer timer(loop.timers(), [&] { ++calls; });
  timer.arm(seconds(3600));
  loop.turn(Duration::zero());
  EXPECT_EQ(calls, 0);
  clock.advance(seconds(3600));
  loop.turn(seconds(3600));  // does not wait: the timer is due
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, DefersWorkToTheEndOfTheTurn) {
  const FakeClock clock;
  EventLoop loop(clock);
  const Pair pair;
  std::string order;
  Timer timer(loop.timers(), [&] { order += "timer "; });
  auto on_ready = [&](Ready) {
    loop.defer([&] { order += "deferred "; });
    order += "watch ";
  };
  Watch watch(loop, pair.near.get(), std::ref(on_ready));
  watch.set({.write = true});
  timer.arm(Duration::zero());
  loop.turn(Duration::zero());
  EXPECT_EQ(order, "watch timer deferred ");
}

TEST(EventLoop, WorkDeferredByDeferredWorkRunsInTheNextTurn) {
  const FakeClock clock;
  EventLoop loop(clock);
  std::string order;
  loop.defer([&] {
    order += "one ";
    loop.defer([&] { order += "two "; });
  });
  loop.turn(seconds(3600));  // does not wait: there is work
  EXPECT_EQ(order, "one ");
  loop.turn(seconds(3600));
  EXPECT_EQ(order, "one two ");
}

TEST(EventLoop, RunsUntilItIsStopped) {
  const SystemClock clock;
  EventLoop loop(clock);
  int turns = 0;
  Timer* again = nullptr;
  auto tick = [&] {
    if (++turns == 5) return loop.stop();
    again->arm(Duration::zero());
  };
  Timer timer(loop.timers(), std::ref(tick));
  again = &timer;
  timer.arm(Duration::zero());
  loop.run();
  EXPECT_EQ(turns, 5);
}

}  // namespace
}  // namespace wsproxy::io
