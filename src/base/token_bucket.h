// So many events a second, and a burst of them at once.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace wsproxy {

/// Full at the start. A rate of 0 is no limit. Two words, for every session has one: not what is in it is
/// kept but when it will be full again (as the generic cell rate algorithm of ATM does).
class TokenBucket {
 public:
  TokenBucket() = default;
  TokenBucket(float per_second, float burst, SteadyTime now)
      : per_second_(per_second), burst_(burst), full_at_(now) {}

  /// False: that is one too many.
  bool take(SteadyTime now) {
    if (per_second_ <= 0) return true;
    const auto time_of = [this](float tokens) {
      return std::chrono::duration_cast<Duration>(
          std::chrono::duration<double>(static_cast<double>(tokens) / per_second_));
    };
    const SteadyTime then = std::max(full_at_, now) + time_of(1);
    if (then > now + time_of(burst_)) return false;
    full_at_ = then;
    return true;
  }

 private:
  float per_second_ = 0;
  float burst_ = 0;
  SteadyTime full_at_;
};

}  // namespace wsproxy
