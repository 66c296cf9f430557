#include "io/plain_stream.h"

#include <linux/sockios.h>
#include <linux/tcp.h>  // its tcp_info knows tcpi_bytes_acked, that of <netinet/tcp.h> does not
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
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
  return IoResult::of_error(errno);
}

IoResult PlainStream::peek(MutableBytes out) {
  const ssize_t n = ::recv(fd_.get(), out.data(), out.size(), MSG_PEEK);
  if (n > 0) return IoResult::ok(static_cast<std::size_t>(n));
  if (n == 0) return IoResult::eof();
  return IoResult::of_error(errno);
}

IoResult PlainStream::write(std::span<const Bytes> parts) { return send(parts, 0); }

// The kernel waits for the FIN.
IoResult PlainStream::write_last(std::span<const Bytes> parts) { return send(parts, MSG_MORE); }

IoResult PlainStream::send(std::span<const Bytes> parts, int flags) {
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
    n = ::send(fd_.get(), vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL | flags);
  } else {
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    n = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | flags);
  }
  if (n >= 0) return IoResult::ok(static_cast<std::size_t>(n));
  return IoResult::of_error(errno);
}

void PlainStream::shutdown_write() { ::shutdown(fd_.get(), SHUT_WR); }

IoResult send_file(int fd, Bytes head, int file, std::uint64_t offset, std::size_t size) {
  std::size_t sent = 0;
  if (!head.empty()) {
    // with MSG_MORE the kernel waits for the file's first bytes
    const ssize_t n = ::send(fd, head.data(), head.size(), MSG_NOSIGNAL | MSG_MORE);
    if (n < 0) return IoResult::of_error(errno);
    sent = static_cast<std::size_t>(n);
    if (sent < head.size()) return IoResult::ok(sent);
  }
  auto at = static_cast<off_t>(offset);
  const ssize_t n = ::sendfile(fd, file, &at, size);
  if (n > 0) return IoResult::ok(sent + static_cast<std::size_t>(n));
  if (sent > 0) return IoResult::ok(sent);  // what is wrong with the file comes again
  if (n == 0) return IoResult::failed(0, "the file changed while it was sent");
  return IoResult::of_error(errno);
}

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
  const auto set = [fd](int level, int name, int value) {
    return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
  };
  if (!set(IPPROTO_TCP, TCP_NODELAY, 1)) return;  // a Unix socket
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  if (user_timeout > Duration::zero()) {
    set_user_timeout(fd, user_timeout);  // the kernel counts no probes then
  } else {
    set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  }
}

void set_user_timeout(int fd, Duration timeout) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
  const int value = static_cast<int>(std::min(ms, kMaxMilliseconds));
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value);
}

}  // namespace wsproxy::io
