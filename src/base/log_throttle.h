// Lines that strangers can have us write as often as they like: some of each kind, and then how many more.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/log.h"

namespace wsproxy::log {

/// One for each kind of line, shared by all who write it:
///
///     if (throttle.allow()) log::info(...);
class Throttle {
 public:
  struct Limit {
    unsigned lines;   ///< that are written in each
    Duration window;  ///< which begins with the first of them
  };
  static constexpr Limit kLimit = {20, std::chrono::seconds(10)};

  /// `what` names the kind in "WHAT (7 more like this in the last 10 s)". `on_limited` is called with the
  /// rest of the window when the first line of it is left out: flush() is due then.
  Throttle(const Clock& clock, std::string what, Limit limit = kLimit, Level level = Level::Info,
           std::move_only_function<void(Duration)> on_limited = {})
      : clock_(clock),
        what_(std::move(what)),
        limit_(limit),
        level_(level),
        on_limited_(std::move(on_limited)) {}
  ~Throttle() { say_left_out(); }
  Throttle(const Throttle&) = delete;
  Throttle& operator=(const Throttle&) = delete;

  /// False: the line is one too many, and is counted. What was left out of a window that is over is
  /// said first.
  bool allow();

  /// Says what was left out, if the window is over.
  void flush();

 private:
  void say_left_out();

  const Clock& clock_;
  std::string what_;
  Limit limit_;
  Level level_;
  std::move_only_function<void(Duration)> on_limited_;
  SteadyTime began_;
  unsigned written_ = 0;  // in this window; 0: there is none
  std::uint64_t left_out_ = 0;
};

}  // namespace wsproxy::log
