// So many events a second, and a burst of them at once.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace wsproxy {

/// Full at the start. A rate of 0 is no limit.
class TokenBucket {
 public:
  TokenBucket() = default;
  TokenBucket(double per_second, double burst, SteadyTime now)
      : per_second_(per_second), burst_(burst), tokens_(burst), filled_(now) {}

  /// False: that is one too many.
  bool take(SteadyTime now) {
    if (per_second_ <= 0) return true;
    const std::chrono::duration<double> passed = now - filled_;
    filled_ = now;
    tokens_ = std::min(burst_, tokens_ + passed.count() * per_second_);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double per_second_ = 0;
  double burst_ = 0;
  double tokens_ = 0;
  SteadyTime filled_;
};

}  // namespace wsproxy
