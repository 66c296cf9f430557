// The reactor: level-triggered epoll, timers, and work put off to the end of a turn.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <functional>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "base/log_throttle.h"
#include "base/unique_fd.h"
#include "io/timer_queue.h"
#include "io/watch.h"

namespace wsproxy::io {

/// Single-threaded. A turn: wait, call the watches that are ready, the timers that are due, and
/// then what was deferred. Nothing that is called may block.
///
/// std::bad_alloc is the only exception there is. Who owns something ends it then; what nobody has caught
/// ends here, and the next callback is called.
class EventLoop {
 public:
  explicit EventLoop(const Clock& clock);
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Turns until stop() is called.
  void run();
  void stop() { stopped_ = true; }

  /// One turn that waits at most `limit`.
  void turn(Duration limit);

  /// Calls `work` at the end of this turn, when no callback of a watch or timer is on the stack:
  /// the place for an object to die. Work deferred by such work runs in the next turn.
  void defer(std::move_only_function<void()> work) { deferred_.push_back(std::move(work)); }

  [[nodiscard]] TimerQueue& timers() { return timers_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }

 private:
  friend class Watch;
  friend class Deferred;
  void update(Watch& watch);
  void watch_again();
  void run_deferred();
  template <typename Call>
  void survive(Call call);
  void forget(const Watch& watch);
  void dispatch(std::size_t count);

  const Clock& clock_;
  UniqueFd epoll_;
  TimerQueue timers_;
  std::array<epoll_event, 256> events_{};
  std::size_t current_ = 0;   // of the turn's events: which is being dispatched
  std::size_t received_ = 0;  // of the turn's events: how many there are
  std::vector<std::move_only_function<void()>> deferred_;
  Linked to_run_;     // what is Deferred
  Linked unwatched_;  // watches that epoll had no room for
  Timer watch_again_;
  bool shortage_said_ = false;  // of unwatched_
  log::Throttle undone_;
  bool stopped_ = false;
};

/// Work for the end of a turn, like EventLoop::defer, that is known beforehand: putting it off needs no
/// memory. Its destructor cancels; the work may destroy it.
class Deferred : private Linked {
 public:
  Deferred(EventLoop& loop, Callback<void()> work) : loop_(loop), work_(work) {}

  /// Once too often is once.
  void run_soon() {
    if (!is_linked()) append_to(loop_.to_run_);
  }

 private:
  friend class EventLoop;
  EventLoop& loop_;
  Callback<void()> work_;
};

}  // namespace wsproxy::io
