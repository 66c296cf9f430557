#include "io/plain_stream.h"

#include <linux/sockios.h>
#include <linux/tcp.h>  // its tcp_info knows tcpi_bytes_acked, that of <netinet/tcp.h> does not
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <limits>

#include "base/error.h"

namespace wsproxy::io {
namespace {

constexpr std::chrono::milliseconds::rep kMaxMilliseconds = std::numeric_limits<int>::max();

constexpr std::size_t kMaxParts = 4;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

std::string describe(const IoResult& result) {
  if (result.error == 0) return result.why;
  return *result.why == '\0' ? describe_errno(result.error)
                             : std::string(result.why) + ": " + describe_errno(result.error);
}

IoResult PlainStream::read(MutableBytes out) {
  const ssize_t n = ::recv(fd_.get(), out.data(), out.size(), 0);
  if (n > 0) return IoResult::ok(static_cast<std::size_t>(n));
  if (n == 0) return IoResult::eof();
  return would_block(errno) ? IoResult::again() : IoResult::failed(errno);
}

IoResult PlainStream::peek(MutableBytes out) {
  const ssize_t n = ::recv(fd_.get(), out.data(), out.size(), MSG_PEEK);
  if (n > 0) return IoResult::ok(static_cast<std::size_t>(n));
  if (n == 0) return IoResult::eof();
  return would_block(errno) ? IoResult::again() : IoResult::failed(errno);
}

IoResult PlainStream::write(std::span<const Bytes> parts) {
  std::array<iovec, kMaxParts> vectors{};
  std::size_t count = 0;
  for (const Bytes part : parts.first(std::min(parts.size(), kMaxParts))) {
    if (part.empty()) continue;
    // sendmsg takes the vector as mutable but does not change it
    vectors[count++] = {const_cast<std::byte*>(part.data()), part.size()};
  }
  if (count == 0) return IoResult::ok(0);
  ssize_t n = 0;
  if (count == 1) {
    n = ::send(fd_.get(), vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL);
  } else {
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    n = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
  }
  if (n >= 0) return IoResult::ok(static_cast<std::size_t>(n));
  return would_block(errno) ? IoResult::again() : IoResult::failed(errno);
}

void PlainStream::shutdown_write() { ::shutdown(fd_.get(), SHUT_WR); }

std::size_t unacknowledged_bytes(int fd) {
  int bytes = 0;
  return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

std::uint64_t acknowledged_bytes(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_acked : 0;
}

void tune_tcp(int fd, Duration user_timeout) {
  int domain = AF_UNSPEC;
  socklen_t length = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0) return;
  if (domain != AF_INET && domain != AF_INET6) return;
  const auto set = [fd](int level, int name, int value) {
    ::setsockopt(fd, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(user_timeout).count();
  if (ms > 0) set(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(std::min(ms, kMaxMilliseconds)));
}

}  // namespace wsproxy::io
