// How long a session may last, and how long without relaying anything.
#pragma once

#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "io/timer_queue.h"
#include "session/close_reason.h"

namespace wsproxy::session {

struct LifetimeLimits {
  Duration idle = Duration::zero();  ///< zero: no limit, as below
  Duration most = Duration::zero();
  [[nodiscard]] bool any() const { return idle > Duration::zero() || most > Duration::zero(); }
};

/// Begins when it is made, and calls `on_over` once: with NothingRelayed or TimeIsUp.
class Lifetime {
 public:
  /// `relayed` is how many bytes have been relayed so far, both ways together. It is looked at four times
  /// in each idle time, so a session ends a quarter of that too late at most.
  Lifetime(io::TimerQueue& timers, const LifetimeLimits& limits,
           std::move_only_function<std::uint64_t()> relayed,
           std::move_only_function<void(CloseReason)> on_over);

 private:
  void look();
  void arm(SteadyTime now);

  const Clock& clock_;
  LifetimeLimits limits_;
  std::move_only_function<std::uint64_t()> relayed_;
  std::move_only_function<void(CloseReason)> on_over_;
  SteadyTime began_;
  SteadyTime busy_;  // when `seen_` had changed last
  std::uint64_t seen_ = 0;
  io::Timer timer_;
};

}  // namespace wsproxy::session
