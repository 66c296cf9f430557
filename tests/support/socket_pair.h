// Two ends of a TCP connection within this machine, as the kernel makes them for real peers.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/unique_fd.h"

namespace wsproxy::test {

/// Connected, non-blocking. Both are empty when that failed, with the test.
struct SocketPair {
  UniqueFd ours, theirs;

  /// `buffer_bytes` bounds what the kernel takes for a peer that does not read; 0: as it likes.
  static SocketPair tcp(int buffer_bytes = 0) {
    ::signal(SIGPIPE, SIG_IGN);  // as the daemon does
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = *SocketAddress::numeric("127.0.0.1", 0);
    UniqueFd theirs(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    for (const int option : {SO_SNDBUF, SO_RCVBUF}) {
      if (buffer_bytes == 0) break;
      set(listener.get(), option, buffer_bytes);  // what is accepted inherits it
      set(theirs.get(), option, buffer_bytes);
    }
    EXPECT_EQ(::bind(listener.get(), address.get(), address.length()), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    address = local_address(listener.get());
    EXPECT_EQ(::connect(theirs.get(), address.get(), address.length()), 0);
    UniqueFd ours(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    EXPECT_TRUE(ours);
    return {std::move(ours), std::move(theirs)};
  }

  static void set(int fd, int option, int value) {
    EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, option, &value, sizeof value), 0);
  }
};

/// True as soon as `fd` is ready for `events`; false after ten seconds.
inline bool wait_for(int fd, short events) {
  pollfd watched{fd, events, 0};
  return ::poll(&watched, 1, 10'000) == 1;
}

inline bool is_ready(int fd, short events) {
  pollfd watched{fd, events, 0};
  return ::poll(&watched, 1, 0) == 1;
}

/// What there is to be read right now; "(end)" is appended at the end.
inline std::string read_all(int fd) {
  std::string all;
  std::array<char, 65536> room{};
  while (true) {
    const ssize_t n = ::recv(fd, room.data(), room.size(), MSG_DONTWAIT);
    if (n == 0) return all + "(end)";
    if (n < 0) return all;
    all.append(room.data(), static_cast<std::size_t>(n));
  }
}

/// As much of `text` as the kernel takes right now.
inline std::size_t send_some(int fd, std::string_view text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n =
        ::send(fd, text.data() + sent, text.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
  }
  return sent;
}

}  // namespace wsproxy::test
