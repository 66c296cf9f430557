// A two-way stream of bytes to a peer: plain TCP, a Unix socket, or TLS over one of them.
#pragma once

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>

#include "base/bytes.h"
#include "io/watch.h"

namespace wsproxy::io {

/// What a read or write came to. Allocates nothing.
struct IoResult {
  enum class Kind : unsigned char {
    Ok,      ///< `bytes` were moved, at least one (a write of nothing: the stream is flushed)
    Again,   ///< would block; wait for what Stream::interest says
    Eof,     ///< reads only: the peer ended its side in good order
    Failed,  ///< the stream is broken; `error` is an errno, 0 for TLS; `why` says it in words
  };
  Kind kind = Kind::Again;
  std::size_t bytes = 0;
  int error = 0;
  const char* why = "";  ///< static text, empty if `error` says it all

  static IoResult ok(std::size_t bytes) { return {Kind::Ok, bytes, 0, ""}; }
  static IoResult again() { return {}; }
  static IoResult eof() { return {Kind::Eof, 0, 0, ""}; }
  static IoResult failed(int error, const char* why = "") { return {Kind::Failed, 0, error, why}; }
  /// What a system call's `error` means for a stream: Again, or Failed.
  static IoResult of_error(int error) {
    return error == EAGAIN || error == EINTR ? again() : failed(error);
  }

  [[nodiscard]] bool is_ok() const { return kind == Kind::Ok; }
};

/// "connection reset by peer" and the like, for a failed result.
std::string describe(const IoResult& result);

/// Non-blocking. Closing is the destructor's job.
class Stream {
 public:
  virtual ~Stream() = default;

  /// Reads at most out.size() bytes (over 0) to the front of `out`.
  virtual IoResult read(MutableBytes out) = 0;

  /// Takes in what nobody wants any more, so that closing is no reset for the peer. TLS or not, broken or
  /// not: what it says no longer counts.
  virtual IoResult discard(MutableBytes scratch) { return read(scratch); }

  /// Looks at the first bytes without taking them. Plain streams only; TLS answers Failed.
  virtual IoResult peek(MutableBytes out) = 0;

  /// Writes the parts in order, as much as goes. With no bytes at all it flushes what the stream
  /// itself has kept back (see flushed()).
  virtual IoResult write(std::span<const Bytes> parts) = 0;

  /// The same for the last bytes: shutdown_write() follows at once if they all go, so that what ends the
  /// stream may leave in the same segment.
  virtual IoResult write_last(std::span<const Bytes> parts) { return write(parts); }

  /// How many bytes are still inside of what write() took: TLS records that the socket did not
  /// take. 0 once writing has failed.
  [[nodiscard]] virtual std::size_t unflushed() const { return 0; }
  [[nodiscard]] bool flushed() const { return unflushed() == 0; }

  /// True if a read would give bytes though the descriptor does not poll readable (TLS).
  [[nodiscard]] virtual bool has_buffered() const { return false; }

  /// Ends our side: FIN, after a close_notify for TLS. Best effort; reading goes on.
  virtual void shutdown_write() = 0;

  /// What to wait for on fd() so that the wanted operations can go on.
  [[nodiscard]] virtual Interest interest(Interest wanted) const { return wanted; }

  [[nodiscard]] virtual int fd() const = 0;

  /// True if the bytes of fd() are those of the stream: the kernel may move them by itself.
  [[nodiscard]] virtual bool is_plain() const { return false; }
};

}  // namespace wsproxy::io
