// SIGQUIT: a line about every connection, without holding up the loop or the log's reader.
#pragma once

#include <string>
#include <vector>

#include "io/event_loop.h"

namespace wsproxy::server {

class SessionLines {
 public:
  explicit SessionLines(io::EventLoop& loop);

  /// Logs `lines`, a hundred at a time; what was left of an earlier call is dropped.
  void log(std::vector<std::string> lines);

 private:
  void log_some();

  std::vector<std::string> lines_;  // still to be logged, the last one first
  io::Timer timer_;
};

}  // namespace wsproxy::server
