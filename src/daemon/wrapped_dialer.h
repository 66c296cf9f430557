// Dialling the wrapped program, which takes a moment to listen.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "io/dial.h"
#include "io/event_loop.h"

namespace wsproxy::daemon {

/// Dials like `inner`, but for the wrapped program's target: that is dialled on 127.0.0.1 and then on
/// ::1, where rebind.so puts a program that listens on IPv6 alone. While both refuse and the program is
/// starting, it tries again every 50 ms, for as long as the dial's limits.connect.
class WrappedDialer final : public io::Dialer {
 public:
  WrappedDialer(io::EventLoop& loop, io::Dialer& inner) : loop_(loop), inner_(inner) {}

  /// From now on `target` is that of a wrapped program; see WrappedProgram::starting().
  void wrap(io::Endpoint target, std::function<bool()> starting) {
    target_ = std::move(target);
    starting_ = std::move(starting);
  }

  std::unique_ptr<io::Dial> dial(const io::Endpoint& target, const io::DialLimits& limits,
                                 std::move_only_function<void()> wake) override;

 private:
  io::EventLoop& loop_;
  io::Dialer& inner_;
  io::Endpoint target_;  // port 0, which nobody dials, until there is one
  std::function<bool()> starting_;
};

}  // namespace wsproxy::daemon
