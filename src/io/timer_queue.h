// Deadlines in order: a binary heap of timers that know their own place in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"

namespace wsproxy::io {

class Timer;

/// Arming and cancelling are O(log n) and need no memory: that is taken when a timer is made. The owner calls run() when time has passed.
class TimerQueue {
 public:
  explicit TimerQueue(const Clock& clock) : clock_(clock) {}
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  [[nodiscard]] const Clock& clock() const { return clock_; }

  /// How long until the first timer is due (zero if it is), or nothing if none is armed.
  [[nodiscard]] std::optional<Duration> next_in() const;

  /// Calls every timer that is due now, each once. A timer may arm or destroy any timer.
  void run();

 private:
  friend class Timer;
  void make_room();
  void insert(Timer& timer);
  void remove(Timer& timer);
  void place(std::size_t index, Timer* timer);
  void sift_up(std::size_t index);
  void sift_down(std::size_t index);

  static bool before(const Timer& a, const Timer& b);

  const Clock& clock_;
  std::uint64_t armed_ = 0;  // how often a timer was armed: timers due at once run in that order
  std::size_t timers_ = 0;   // that there are, armed or not
  std::vector<Timer*> heap_;
};

/// Calls back once, after the duration it was last armed with. Its destructor cancels.
class Timer {
 public:
  Timer(TimerQueue& queue, Callback<void()> callback) : queue_(queue), callback_(callback) {
    queue_.make_room();
  }
  ~Timer() {
    cancel();
    --queue_.timers_;
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void arm(Duration after);
  void cancel();
  [[nodiscard]] bool armed() const { return index_ != kNone; }

 private:
  friend class TimerQueue;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  TimerQueue& queue_;
  SteadyTime due_;
  std::uint64_t order_ = 0;
  std::size_t index_ = kNone;
  Callback<void()> callback_;
};

}  // namespace wsproxy::io
