// Time as the daemon sees it: monotonic for every deadline, so a changed wall clock moves none.
#pragma once

#include <chrono>

namespace wsproxy {

using SteadyTime = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual SteadyTime now() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime now() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace wsproxy
