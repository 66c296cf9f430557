// Signals as events of the loop (signalfd).
#pragma once

#include <functional>
#include <initializer_list>

#include "base/unique_fd.h"
#include "io/event_loop.h"

namespace wsproxy::io {

/// Keeps the signals until a Signals of the same ones takes them, in place of what they do by default:
/// for the start, when there is no loop yet.
void hold_signals(std::initializer_list<int> signals);

/// Blocks the signals for the whole process and reports each one from the loop. SIGPIPE is ignored
/// along the way: a write to a closed socket is an error of that write.
class Signals {
 public:
  Signals(EventLoop& loop, std::initializer_list<int> signals,
          std::move_only_function<void(int)> on_signal);

 private:
  void read();

  UniqueFd fd_;
  Watch watch_;
  std::move_only_function<void(int)> on_signal_;
};

}  // namespace wsproxy::io
