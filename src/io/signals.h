// Signals as events of the loop (signalfd).
#pragma once

#include <functional>
#include <initializer_list>

#include "base/unique_fd.h"
#include "io/event_loop.h"

namespace wsproxy::io {

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
