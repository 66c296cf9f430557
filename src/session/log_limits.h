// Limits for the lines of the log that a client can cause without getting anywhere.
#pragma once

#include "base/log_throttle.h"
#include "io/event_loop.h"

namespace wsproxy::session {

/// Shared by all sessions. What was left out is said when its window ends.
struct LogLimits {
  class Kind {
   public:
    Kind(io::EventLoop& loop, std::string what);

    /// False: the line is one too many.
    bool allow() { return throttle_.allow(); }

   private:
    io::Timer window_end_;
    log::Throttle throttle_;
  };

  explicit LogLimits(io::EventLoop& loop);

  Kind refused;      ///< requests that got an error for an answer
  Kind tls_failed;   ///< handshakes that came to nothing
  Kind turned_away;  ///< connections over a limit that got no answer
  Kind broken_off;   ///< clients that left in the middle, or that stopped reading
};

}  // namespace wsproxy::session
