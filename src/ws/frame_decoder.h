// Client frames in, payload out: a stream decoder that never holds a frame (RFC 6455 section 5).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/base64.h"
#include "base/bytes.h"
#include "ws/frame.h"

namespace wsproxy::ws {

/// What data frames carry: raw bytes in binary frames, or base64 in text frames, as pages from
/// before binary frames want it.
enum class Payload : std::uint8_t { Binary, Base64 };

/// Decodes what a client sends, in pieces of any size. All bytes of a piece can be decoded as long
/// as `out` has as much room as the piece has bytes: only a partial header and a control frame's
/// payload are kept inside, both bounded.
class FrameDecoder {
 public:
  explicit FrameDecoder(Payload payload) : payload_(payload) {}

  enum class Event : std::uint8_t {
    None,  ///< all of `in` was decoded
    Ping,  ///< control() is to be sent back in a Pong
    Pong,
    Close,  ///< control() holds the Close frame's payload; decode nothing more
    Bad,    ///< close with close_code(), error() says why; decode nothing more
  };
  struct Progress {
    std::size_t consumed = 0;  ///< bytes taken from `in`
    std::size_t produced = 0;  ///< payload bytes written to the front of `out`
    Event event = Event::None;
  };

  /// Decodes the front of `in` up to the next event, unmasking while it copies to `out`.
  /// `out` has room for at least in.size() bytes and does not overlap `in`. Call again with the
  /// rest.
  Progress decode(Bytes in, MutableBytes out);

  /// Payload of the control frame that decode() last reported; valid until the next call.
  [[nodiscard]] Bytes control() const;
  [[nodiscard]] CloseCode close_code() const { return close_code_; }
  [[nodiscard]] const char* error() const { return error_; }

 private:
  struct Control {
    std::array<std::byte, kMaxControlPayload> bytes{};
    std::size_t size = 0;
  };

  Event begin_frame();
  Event end_frame();
  Event bad(CloseCode code, const char* why);
  std::optional<std::size_t> decode_payload(Bytes in, MutableBytes out);

  std::array<std::byte, kMaxClientHeader> header_bytes_{};
  std::uint8_t header_size_ = 0;  // bytes of it that have arrived
  Payload payload_;
  bool in_frame_ = false;
  bool in_message_ = false;  // a data frame without FIN has begun, its last has not ended
  CloseCode close_code_ = CloseCode::None;
  FrameHeader frame_;
  std::uint64_t done_ = 0;  // payload bytes of frame_ that were decoded
  const char* error_ = "";
  Base64Decoder base64_;
  std::unique_ptr<Control>
      control_;  // only while a control frame is about: idle sessions stay small
};

}  // namespace wsproxy::ws
