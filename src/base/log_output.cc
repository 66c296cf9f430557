#include "base/log_output.h"

#include <poll.h>
#include <unistd.h>

namespace wsproxy::log {

// A pipe, socket or terminal that polls writable takes PIPE_BUF bytes at once. O_NONBLOCK would do
// too, but the flag belongs to everyone who shares the terminal, our parent shell among them.
bool DescriptorOutput::write(std::string_view line) {
  pollfd poll_fd{fd_, POLLOUT, 0};
  if (::poll(&poll_fd, 1, 0) != 1 || (poll_fd.revents & POLLOUT) == 0) return false;
  return ::write(fd_, line.data(), line.size()) >= 0;
}

}  // namespace wsproxy::log
