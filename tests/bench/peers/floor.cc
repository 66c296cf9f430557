// The least that a relay can cost: one thread that reads and writes, and does nothing else. No WebSocket, no TLS.
//
//   floor LISTEN_PORT TARGET_PORT [splice]
//
// `splice` moves the bytes through a pipe instead, without a copy into this process.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace {

using wsproxy::UniqueFd;

constexpr std::size_t kBlock = 65536;

bool use_splice = false;
UniqueFd epoll;

struct Pair;

// One end, and what it has sent that the other end did not take yet.
struct Side {
  UniqueFd fd;
  Pair* pair = nullptr;
  Side* other = nullptr;
  std::uint32_t events = 0;
  std::vector<char> waiting;
  UniqueFd pipe_in;
  UniqueFd pipe_out;
  std::size_t piped = 0;
  bool ended = false;
  bool connecting = false;

  [[nodiscard]] bool has_waiting() const { return !waiting.empty() || piped > 0; }
};

struct Pair {
  Side browser;
  Side target;
};

sockaddr_in loopback(const char* port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void rearm(Side& side) {
  std::uint32_t wanted = 0;
  if (side.other->has_waiting() || side.connecting) wanted |= EPOLLOUT;
  const bool may_read = !side.ended && !side.connecting && !side.other->connecting;
  if (may_read && !side.has_waiting()) wanted |= EPOLLIN;
  if (wanted == side.events) return;
  epoll_event event{};
  event.events = side.events = wanted;
  event.data.ptr = &side;
  ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, side.fd.get(), &event);
}

// Each of these is false when the pair is over.

bool write_piped(Side& from) {
  while (from.piped > 0) {
    const ssize_t moved = ::splice(from.pipe_out.get(), nullptr, from.other->fd.get(), nullptr,
                                   from.piped, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (moved < 0) return errno == EAGAIN;
    from.piped -= static_cast<std::size_t>(moved);
  }
  return true;
}

bool write_waiting(Side& from) {
  if (from.waiting.empty()) return true;
  const ssize_t sent = ::write(from.other->fd.get(), from.waiting.data(), from.waiting.size());
  if (sent < 0) return errno == EAGAIN;
  from.waiting.erase(from.waiting.begin(), from.waiting.begin() + sent);
  return true;
}

bool flush(Side& from) {
  if (!write_piped(from) || !write_waiting(from)) return false;
  if (!from.ended || from.has_waiting()) return true;
  ::shutdown(from.other->fd.get(), SHUT_WR);
  return !from.other->ended || from.other->has_waiting();
}

bool pump_pipe(Side& side) {
  if (!side.pipe_in) {
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return false;
    side.pipe_out.reset(ends[0]);
    side.pipe_in.reset(ends[1]);
    ::fcntl(side.pipe_in.get(), F_SETPIPE_SZ, kBlock);
  }
  const ssize_t moved = ::splice(side.fd.get(), nullptr, side.pipe_in.get(), nullptr, kBlock,
                                 SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  if (moved < 0) return errno == EAGAIN;
  side.ended = moved == 0;
  side.piped += static_cast<std::size_t>(moved);
  return flush(side);
}

bool pump(Side& side) {
  static std::array<char, kBlock> block;
  const ssize_t got = ::read(side.fd.get(), block.data(), block.size());
  if (got < 0) return errno == EAGAIN;
  if (got == 0) {
    side.ended = true;
    return flush(side);
  }
  ssize_t sent = ::write(side.other->fd.get(), block.data(), static_cast<std::size_t>(got));
  if (sent < 0 && errno != EAGAIN) return false;
  if (sent < 0) sent = 0;
  if (sent < got) side.waiting.assign(block.data() + sent, block.data() + got);
  return true;
}

bool handle(Side& side, std::uint32_t events) {
  if (side.connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(side.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    side.connecting = false;
    return error == 0;
  }
  if ((events & EPOLLERR) != 0) return false;
  if ((events & EPOLLOUT) != 0 && !flush(*side.other)) return false;
  if ((events & (EPOLLIN | EPOLLHUP)) == 0) return true;
  if ((side.events & EPOLLIN) == 0) return (events & EPOLLHUP) == 0;
  return use_splice ? pump_pipe(side) : pump(side);
}

// Events point at the sides of a pair, which belongs to nobody else until one of them ends it.
void begin(UniqueFd browser, const sockaddr_in& target) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return;
  const int one = 1;
  ::setsockopt(browser.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  // how it ends is asked for when the socket is ready
  static_cast<void>(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target));
  Pair& pair = *std::make_unique<Pair>().release();
  pair.browser.fd = std::move(browser);
  pair.browser.other = &pair.target;
  pair.target.fd = std::move(fd);
  pair.target.other = &pair.browser;
  pair.target.connecting = true;
  for (Side* side : {&pair.browser, &pair.target}) {
    side->pair = &pair;
    epoll_event event{};
    event.data.ptr = side;
    ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, side->fd.get(), &event);
    rearm(*side);
  }
}

void accept_all(int listener, const sockaddr_in& target) {
  for (;;) {
    UniqueFd browser(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!browser) return;
    begin(std::move(browser), target);
  }
}

int run(const char* listen_port, const char* target_port) {
  const sockaddr_in address = loopback(listen_port);
  const sockaddr_in target = loopback(target_port);
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int one = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 4096) != 0) {
    std::perror("floor");
    return 1;
  }
  epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, listener.get(), &event);
  std::array<epoll_event, 256> events{};
  for (;;) {
    const int count = ::epoll_wait(epoll.get(), events.data(), events.size(), -1);
    std::vector<std::unique_ptr<Pair>> over;  // until all events of this turn are handled
    for (int i = 0; i < count; ++i) {
      auto* side = static_cast<Side*>(events[i].data.ptr);
      if (side == nullptr) {
        accept_all(listener.get(), target);
        continue;
      }
      if (!side->fd) continue;  // its pair ended in this turn
      if (handle(*side, events[i].events)) {
        rearm(*side);
        rearm(*side->other);
      } else {
        side->fd.reset();
        side->other->fd.reset();
        over.emplace_back(side->pair);
      }
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::fputs("usage: floor LISTEN_PORT TARGET_PORT [splice]\n", stderr);
    return 2;
  }
  use_splice = count > 3 && std::string_view(arguments[3]) == "splice";
  ::signal(SIGPIPE, SIG_IGN);
  return run(arguments[1], arguments[2]);
}
