#include "io/timer_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "support/fake_clock.h"

namespace wsproxy::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using test::FakeClock;

// Who was called.
template <typename Number>
struct Note {
  std::vector<Number>& called;
  Number number;
  void operator()() const { called.push_back(number); }
};

TEST(TimerQueue, IsIdleAtTheStart) {
  const FakeClock clock;
  TimerQueue queue(clock);
  EXPECT_FALSE(queue.next_in());
  queue.run();
}

TEST(TimerQueue, CallsATimerWhenItIsDueAndNotBefore) {
  FakeClock clock;
  TimerQueue queue(clock);
  int calls = 0;
  Timer timer(queue, [&] { ++calls; });
  EXPECT_FALSE(timer.armed());
  timer.arm(seconds(2));
  EXPECT_TRUE(timer.armed());
  EXPECT_EQ(queue.next_in(), Duration(seconds(2)));
  clock.advance(seconds(2) - nanoseconds(1));
  queue.run();
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(queue.next_in(), Duration(nanoseconds(1)));
  clock.advance(nanoseconds(1));
  EXPECT_EQ(queue.next_in(), Duration::zero());
  queue.run();
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(timer.armed());
  EXPECT_FALSE(queue.next_in());
}

TEST(TimerQueue, CallsATimerOnce) {
  FakeClock clock;
  TimerQueue queue(clock);
  int calls = 0;
  Timer timer(queue, [&] { ++calls; });
  timer.arm(seconds(1));
  clock.advance(seconds(5));
  queue.run();
  queue.run();
  clock.advance(seconds(5));
  queue.run();
  EXPECT_EQ(calls, 1);
}

TEST(TimerQueue, ALateTimerIsDueInZero) {
  FakeClock clock;
  TimerQueue queue(clock);
  Timer timer(queue, [] {});
  timer.arm(seconds(1));
  clock.advance(seconds(10));
  EXPECT_EQ(queue.next_in(), Duration::zero()) << "never less than nothing";
}

TEST(TimerQueue, CallsInTheOrderOfTheDeadlines) {
  FakeClock clock;
  TimerQueue queue(clock);
  std::string order;
  Timer c(queue, [&] { order += 'c'; });
  Timer a(queue, [&] { order += 'a'; });
  Timer d(queue, [&] { order += 'd'; });
  Timer b(queue, [&] { order += 'b'; });
  c.arm(seconds(3));
  a.arm(seconds(1));
  d.arm(seconds(4));
  b.arm(seconds(2));
  clock.advance(seconds(3));
  queue.run();
  EXPECT_EQ(order, "abc");
  clock.advance(seconds(1));
  queue.run();
  EXPECT_EQ(order, "abcd");
}

TEST(TimerQueue, CallsTimersDueAtOnceInTheOrderOfTheirArming) {
  FakeClock clock;
  TimerQueue queue(clock);
  std::vector<int> order;
  std::vector<Note<int>> notes;
  notes.reserve(50);
  for (int i = 0; i < 50; ++i) notes.push_back({order, i});
  std::deque<Timer> timers;
  for (auto& note : notes) timers.emplace_back(queue, std::ref(note));
  for (Timer& timer : timers) timer.arm(seconds(1));
  timers[7].arm(seconds(1));  // again: now it is the last
  clock.advance(seconds(1));
  queue.run();
  ASSERT_EQ(order.size(), 50U);
  EXPECT_EQ(order.back(), 7);
  order.pop_back();
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST(TimerQueue, WhatIsArmedWhileItRunsHoldsUpNoneThatWasDue) {
  FakeClock clock;
  TimerQueue queue(clock);
  std::string order;
  Timer late(queue, [&] { order += "late "; });
  Timer third(queue, [&] { order += "third "; });
  Timer second(queue, [&] { order += "second "; });
  auto call = [&] {
    order += "first ";
    late.arm(Duration::zero());
  };
  Timer first(queue, std::ref(call));
  first.arm(seconds(1));
  second.arm(seconds(2));
  third.arm(seconds(3));
  clock.advance(seconds(3));
  queue.run();
  EXPECT_EQ(order, "first second third ");
  queue.run();
  EXPECT_EQ(order, "first second third late ");
}

TEST(TimerQueue, ArmingAgainMovesTheDeadlineEitherWay) {
  FakeClock clock;
  TimerQueue queue(clock);
  int calls = 0;
  Timer timer(queue, [&] { ++calls; });
  timer.arm(seconds(1));
  timer.arm(seconds(10));
  clock.advance(seconds(5));
  queue.run();
  EXPECT_EQ(calls, 0);
  timer.arm(seconds(1));
  EXPECT_EQ(queue.next_in(), Duration(seconds(1)));
  clock.advance(seconds(1));
  queue.run();
  EXPECT_EQ(calls, 1);
  clock.advance(seconds(10));
  queue.run();
  EXPECT_EQ(calls, 1) << "the deadlines before do not count";
}

TEST(TimerQueue, ACancelledTimerIsNotCalled) {
  FakeClock clock;
  TimerQueue queue(clock);
  int calls = 0;
  Timer timer(queue, [&] { ++calls; });
  timer.cancel();
  timer.arm(seconds(1));
  timer.cancel();
  timer.cancel();
  EXPECT_FALSE(timer.armed());
  EXPECT_FALSE(queue.next_in());
  clock.advance(seconds(2));
  queue.run();
  EXPECT_EQ(calls, 0);
}

TEST(TimerQueue, ADestroyedTimerIsNotCalled) {
  FakeClock clock;
  TimerQueue queue(clock);
  int calls = 0;
  {
    Timer timer(queue, [&] { ++calls; });
    timer.arm(seconds(1));
  }
  EXPECT_FALSE(queue.next_in());
  clock.advance(seconds(2));
  queue.run();
  EXPECT_EQ(calls, 0);
}

TEST(TimerQueue, ATimerIsNotArmedWhileItIsCalled) {
  FakeClock clock;
  TimerQueue queue(clock);
  bool armed = true;
  std::unique_ptr<Timer> timer;
  auto call = [&] { armed = timer->armed(); };
  timer = std::make_unique<Timer>(queue, std::ref(call));
  timer->arm(Duration::zero());
  queue.run();
  EXPECT_FALSE(armed);
}

TEST(TimerQueue, ATimerMayArmItself) {
  FakeClock clock;
  TimerQueue queue(clock);
  int calls = 0;
  std::unique_ptr<Timer> timer;
  auto call = [&] {
    ++calls;
    timer->arm(seconds(1));
  };
  timer = std::make_unique<Timer>(queue, std::ref(call));
  timer->arm(seconds(1));
  for (int i = 1; i <= 5; ++i) {
    clock.advance(seconds(1));
    queue.run();
    EXPECT_EQ(calls, i);
  }
}

TEST(TimerQueue, ATimerThatArmsItselfWithZeroRunsInTheNextTurn) {
  // "calls every timer that is due now, each once", also when the clock has not moved meanwhile
  FakeClock clock;
  TimerQueue queue(clock);
  int calls = 0;
  std::unique_ptr<Timer> timer;
  auto call = [&] {
    if (++calls < 3) timer->arm(Duration::zero());
  };
  timer = std::make_unique<Timer>(queue, std::ref(call));
  timer->arm(Duration::zero());
  queue.run();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(queue.next_in(), Duration::zero());
  queue.run();
  EXPECT_EQ(calls, 2);
}

TEST(TimerQueue, ATimerMayCancelOthersThatAreDue) {
  FakeClock clock;
  TimerQueue queue(clock);
  int calls = 0;
  Timer second(queue, [&] { ++calls; });
  Timer third(queue, [&] { ++calls; });
  Timer first(queue, [&] { second.cancel(); });
  first.arm(seconds(1));
  second.arm(seconds(2));
  third.arm(seconds(3));
  clock.advance(seconds(5));
  queue.run();
  EXPECT_EQ(calls, 1);
}

TEST(TimerQueue, ATimerMayDestroyOthersThatAreDue) {
  FakeClock clock;
  TimerQueue queue(clock);
  int calls = 0;
  auto second = std::make_unique<Timer>(queue, [&] { ++calls; });
  Timer third(queue, [&] { ++calls; });
  Timer first(queue, [&] { second.reset(); });
  first.arm(seconds(1));
  second->arm(seconds(2));
  third.arm(seconds(3));
  clock.advance(seconds(5));
  queue.run();
  EXPECT_EQ(calls, 1);
}

TEST(TimerQueue, ATimerMayDestroyItself) {
  FakeClock clock;
  TimerQueue queue(clock);
  int calls = 0;
  std::unique_ptr<Timer> timer;
  auto call = [&] {
    ++calls;
    timer.reset();
  };
  timer = std::make_unique<Timer>(queue, std::ref(call));
  Timer other(queue, [&] { ++calls; });
  timer->arm(seconds(1));
  other.arm(seconds(1));
  clock.advance(seconds(1));
  queue.run();
  EXPECT_EQ(calls, 2);
}

TEST(TimerQueue, ATimerMayPutOffAnotherThatIsDue) {
  FakeClock clock;
  TimerQueue queue(clock);
  int calls = 0;
  Timer second(queue, [&] { ++calls; });
  Timer first(queue, [&] { second.arm(seconds(10)); });
  first.arm(seconds(1));
  second.arm(seconds(2));
  clock.advance(seconds(5));
  queue.run();
  EXPECT_EQ(calls, 0);
  clock.advance(seconds(10));
  queue.run();
  EXPECT_EQ(calls, 1);
}

TEST(TimerQueue, TenThousandRandomTimersBehaveLikeAModel) {
  constexpr std::size_t kTimers = 10'000;
  FakeClock clock;
  TimerQueue queue(clock);
  std::mt19937 random(8305);
  std::vector<std::optional<SteadyTime>> due(kTimers);  // the model
  std::vector<std::size_t> fired;
  std::vector<Note<std::size_t>> notes;
  notes.reserve(kTimers);
  for (std::size_t i = 0; i < kTimers; ++i) notes.push_back({fired, i});
  std::deque<Timer> timers;
  for (auto& note : notes) timers.emplace_back(queue, std::ref(note));
  for (int round = 0; round < 200; ++round) {
    for (int step = 0; step < 200; ++step) {
      const std::size_t i = random() % kTimers;
      if (random() % 5 == 0) {
        timers[i].cancel();
        due[i].reset();
      } else {
        const auto after = milliseconds(random() % 2000);
        timers[i].arm(after);
        due[i] = clock.now() + after;
      }
    }
    std::optional<SteadyTime> earliest;
    for (const auto& time : due) {
      if (time && (!earliest || *time < *earliest)) earliest = time;
    }
    ASSERT_TRUE(earliest);
    ASSERT_EQ(queue.next_in(), std::max(*earliest - clock.now(), Duration::zero()));

    clock.advance(milliseconds(random() % 100));
    fired.clear();
    queue.run();
    std::vector<std::size_t> wanted;
    for (std::size_t i = 0; i < kTimers; ++i) {
      if (due[i] && *due[i] <= clock.now()) wanted.push_back(i);
    }
    for (std::size_t i = 1; i < fired.size(); ++i) ASSERT_LE(due[fired[i - 1]], due[fired[i]]);
    for (const std::size_t i : fired) due[i].reset();
    std::ranges::sort(fired);
    ASSERT_EQ(fired, wanted) << round;
    for (std::size_t i = 0; i < kTimers; i += 97) ASSERT_EQ(timers[i].armed(), due[i].has_value());
  }
}

}  // namespace
}  // namespace wsproxy::io
