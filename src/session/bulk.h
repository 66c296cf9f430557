// The way down for bulk: a target that sends more than a screen's trifles is spliced to its client.
#pragma once

#include <cstdint>
#include <memory>

#include "io/conduit.h"

namespace wsproxy::session {

/// Counts how much the target gives at a time, and carries frames through a pipe while that is much. Both
/// sides are plain sockets; payload is binary. Copying is the cheaper way for small updates: each frame
/// costs two system calls more here.
class Bulk {
 public:
  /// Null: it never flows.
  explicit Bulk(io::PipePool* pipes);

  /// The target gave so much in one read.
  void note_read(std::size_t bytes);

  /// True if take() is the way.
  [[nodiscard]] bool flows() const { return large_reads_ == kLargeReads; }

  /// Makes a frame of what target `fd` has, as much as its recent past promises. It is empty. When that
  /// fails because it cannot be done this way, it flows no more, and nothing was taken.
  io::IoResult take(int fd);

  /// Sends on to client `fd` as much as goes.
  io::IoResult send(int fd);

  [[nodiscard]] bool empty() const { return !conduit_; }
  void clear() { conduit_.reset(); }

 private:
  static constexpr std::uint8_t kLargeReads = 4;  // in a row make it flow

  void adapt(std::size_t bytes);

  io::PipePool* pipes_;
  std::unique_ptr<io::Conduit> conduit_;  // while a frame is inside: an idle session has none
  std::uint32_t budget_;                  // bytes that the next frame may have
  std::uint8_t large_reads_ = 0;
};

}  // namespace wsproxy::session
