// A stream over a connected, non-blocking socket.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "io/stream.h"

namespace wsproxy::io {

class PlainStream final : public Stream {
 public:
  /// `fd` is connected and non-blocking.
  explicit PlainStream(UniqueFd fd) : fd_(std::move(fd)) {}

  IoResult read(MutableBytes out) override;
  IoResult peek(MutableBytes out) override;
  IoResult write(std::span<const Bytes> parts) override;
  IoResult write_last(std::span<const Bytes> parts) override;
  void shutdown_write() override;
  [[nodiscard]] int fd() const override { return fd_.get(); }
  [[nodiscard]] bool is_plain() const override { return true; }

 private:
  IoResult send(std::span<const Bytes> parts, int flags);

  UniqueFd fd_;
};

/// Sends `head`, and behind it at most `size` (over 0) bytes of `file` from `offset` on, to socket `fd`; the
/// file's pass inside the kernel (sendfile(2)), in the same segments as the head.
///
/// Ok      so many went, of both together
/// Failed  also with EINVAL where that file cannot be sent so, and in words when it has ended; of `head`
///         nothing went then
IoResult send_file(int fd, Bytes head, int file, std::uint64_t offset, std::size_t size);

/// Bytes that were written to socket `fd` and that its peer has not acknowledged; 0 if that cannot be told.
std::size_t unacknowledged_bytes(int fd);

/// Bytes that the TCP peer of socket `fd` has acknowledged since it connected; 0 for other sockets.
std::uint64_t acknowledged_bytes(int fd);

/// TCP_NODELAY and keep-alive (first probe after 60 s of silence, then 15 s apart; dead after `user_timeout`, or 4 more)
/// for an Internet socket; nothing for others. `user_timeout`: how long what was sent may stay
/// unacknowledged, and a peer without room for more (TCP_USER_TIMEOUT, tcp(7)); zero: as the system has it.
void tune_tcp(int fd, Duration user_timeout = Duration::zero());

/// How long what was sent may stay unacknowledged before the connection counts as dead; 0: as the kernel likes.
void set_user_timeout(int fd, Duration timeout);

}  // namespace wsproxy::io
