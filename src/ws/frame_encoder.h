// Payload in, server frames out (RFC 6455 section 5.2, never masked).
#pragma once

#include <cstddef>
#include <string_view>

#include "base/bytes.h"
#include "base/ring_buffer.h"
#include "ws/frame.h"
#include "ws/frame_decoder.h"

namespace wsproxy::ws {

constexpr std::size_t kMaxServerHeader = 10;

/// Writes a header for `length` payload bytes to the front of `out` (room for 10 bytes) and returns
/// its size: 2, 4 or 10.
std::size_t write_frame_header(Opcode opcode, std::uint64_t length, MutableBytes out);

/// Frames that go to a client by way of a ring: payload is read straight into the ring behind a gap
/// left for its header, and `seal` puts the header there.
class FrameEncoder {
 public:
  explicit FrameEncoder(Payload payload) : payload_(payload) {}

  /// Where to read payload to: contiguous, at most 65,535 bytes, empty when the ring is too full.
  MutableBytes room(RingBuffer& ring) const;

  /// True if room() would not be empty.
  static bool has_room(const RingBuffer& ring);

  /// Makes a frame of the first `length` bytes (over 0) of what room() gave, and commits it.
  void seal(RingBuffer& ring, std::size_t length) const;

 private:
  Payload payload_;
};

/// Appends a control frame with at most 125 bytes of payload; false if the ring has no room for it.
bool append_control(RingBuffer& ring, Opcode opcode, Bytes payload);

/// Appends a Close frame. CloseCode::None sends an empty one; the reason is cut to 123 bytes
/// between characters.
bool append_close(RingBuffer& ring, CloseCode code, std::string_view reason);

}  // namespace wsproxy::ws
