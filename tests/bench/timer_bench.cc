// What a timer costs when there are others: every session has a few, and each message may move one.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <vector>

#include "io/timer_queue.h"
#include "support/fake_clock.h"

namespace wsproxy::io {
namespace {

using std::chrono::milliseconds;

// Timers that are due at different times.
std::vector<std::unique_ptr<Timer>> armed_timers(TimerQueue& queue, std::int64_t count) {
  std::vector<std::unique_ptr<Timer>> timers;
  for (std::int64_t i = 0; i < count; ++i) {
    timers.push_back(std::make_unique<Timer>(queue, [] {}));
    timers.back()->arm(milliseconds(1000 + (i * 7919) % 30'000));
  }
  return timers;
}

void timer_is_put_off(benchmark::State& state) {
  test::FakeClock clock;
  TimerQueue queue(clock);
  const auto timers = armed_timers(queue, state.range(0));
  std::size_t next = 0;
  for (auto _ : state) {
    clock.advance(std::chrono::microseconds(1));
    timers[next]->arm(milliseconds(30'000));
    next = (next + 7) % timers.size();
  }
}
BENCHMARK(timer_is_put_off)->Arg(10)->Arg(100)->Arg(1000)->Arg(10'000)->Arg(100'000);

void timer_is_cancelled(benchmark::State& state) {
  test::FakeClock clock;
  TimerQueue queue(clock);
  const auto timers = armed_timers(queue, state.range(0));
  Timer another(queue, [] {});
  for (auto _ : state) {
    another.arm(milliseconds(5000));
    another.cancel();
  }
}
BENCHMARK(timer_is_cancelled)->Arg(10)->Arg(1000)->Arg(100'000);

}  // namespace
}  // namespace wsproxy::io
