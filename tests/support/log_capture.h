// What is logged while it lives, instead of on the terminal.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/log.h"
#include "support/child.h"

namespace wsproxy::test {

class LogCapture {
 public:
  LogCapture() {
    ::fcntl(pipe_.from.get(), F_SETFL, O_NONBLOCK);
    log::set_fd(pipe_.to.get());
  }
  ~LogCapture() { log::set_fd(STDERR_FILENO); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  /// All lines since the last call.
  [[nodiscard]] std::string take() const { return read_to_end(pipe_.from.get()); }

 private:
  Pipe pipe_ = Pipe::make();
};

}  // namespace wsproxy::test
