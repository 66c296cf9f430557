// What a process can do only once or not undo (become somebody else, chroot) is tried in a child.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <string>

#include "base/unique_fd.h"

namespace wsproxy::test {

struct Pipe {
  UniqueFd from;
  UniqueFd to;

  // Out of the way of the descriptors that tests place at numbers of their own.
  static Pipe make() {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    const UniqueFd low_from(ends[0]);
    const UniqueFd low_to(ends[1]);
    return {UniqueFd(::fcntl(low_from.get(), F_DUPFD_CLOEXEC, 100)),
            UniqueFd(::fcntl(low_to.get(), F_DUPFD_CLOEXEC, 100))};
  }
};

/// Everything up to the moment when nobody holds the other end any more.
inline std::string read_to_end(int fd) {
  std::string text;
  std::array<char, 4096> block{};
  ssize_t n = 0;
  while ((n = ::read(fd, block.data(), block.size())) > 0) {
    text.append(block.data(), static_cast<std::size_t>(n));
  }
  return text;
}

inline void write_all(int fd, const std::string& text) {
  if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
}

/// Runs `body` in a forked child and gives what it returned. A child that is killed or ends by itself
/// gives "ended: " and its wait status.
inline std::string in_child(const std::function<std::string()>& body) {
  Pipe pipe = Pipe::make();
  const pid_t child = ::fork();
  if (child == 0) {
    pipe.from.reset();
    write_all(pipe.to.get(), body());
    ::_exit(0);
  }
  pipe.to.reset();
  std::string text = read_to_end(pipe.from.get());
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0 ? text : "ended: " + std::to_string(status);
}

}  // namespace wsproxy::test
