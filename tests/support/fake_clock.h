// A clock that a test moves.
#pragma once

#include "base/clock.h"

namespace wsproxy::test {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime now() const override { return now_; }
  void advance(Duration by) { now_ += by; }

 private:
  SteadyTime now_ = SteadyTime(std::chrono::hours(1));
};

}  // namespace wsproxy::test
