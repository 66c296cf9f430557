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
  void shutdown_write() override;
  [[nodiscard]] int fd() const override { return fd_.get(); }

 private:
  UniqueFd fd_;
};

/// Bytes that were written to socket `fd` and that its peer has not acknowledged; 0 if that cannot be told.
std::size_t unacknowledged_bytes(int fd);

/// Bytes that the TCP peer of socket `fd` has acknowledged since it connected; 0 for other sockets.
std::uint64_t acknowledged_bytes(int fd);

/// TCP_NODELAY and keep-alive (first probe after 60 s of silence, dead after 4 more, 15 s apart)
/// for an Internet socket; nothing for others. `user_timeout`: how long what was sent may stay
/// unacknowledged, and a peer without room for more (TCP_USER_TIMEOUT, tcp(7)); zero: as the system has it.
void tune_tcp(int fd, Duration user_timeout = Duration::zero());

}  // namespace wsproxy::io
