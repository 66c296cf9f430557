#include "session/lifetime.h"

#include <algorithm>
#include <utility>

namespace wsproxy::session {

Lifetime::Lifetime(io::TimerQueue& timers, const LifetimeLimits& limits,
                   std::move_only_function<std::uint64_t()> relayed,
                   std::move_only_function<void(CloseReason)> on_over)
    : clock_(timers.clock()),
      limits_(limits),
      relayed_(std::move(relayed)),
      on_over_(std::move(on_over)),
      began_(clock_.now()),
      busy_(began_),
      timer_(timers, [this] { look(); }) {
  arm(began_);
}

void Lifetime::look() {
  const SteadyTime now = clock_.now();
  const std::uint64_t relayed = relayed_();
  if (std::exchange(seen_, relayed) != relayed) busy_ = now;
  if (limits_.most > Duration::zero() && now - began_ >= limits_.most) {
    return on_over_(CloseReason::TimeIsUp);
  }
  if (limits_.idle > Duration::zero() && now - busy_ >= limits_.idle) {
    return on_over_(CloseReason::NothingRelayed);
  }
  arm(now);
}

void Lifetime::arm(SteadyTime now) {
  Duration next = Duration::max();
  if (limits_.idle > Duration::zero()) next = limits_.idle / 4;
  if (limits_.most > Duration::zero()) next = std::min(next, began_ + limits_.most - now);
  if (next != Duration::max()) timer_.arm(next);
}

}  // namespace wsproxy::session
