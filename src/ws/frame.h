// What a WebSocket frame is made of (RFC 6455 sections 5 and 7.4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace wsproxy::ws {

enum class Opcode : std::uint8_t {
  Continuation = 0x0,
  Text = 0x1,
  Binary = 0x2,
  Close = 0x8,
  Ping = 0x9,
  Pong = 0xA,
};

constexpr bool is_control(Opcode opcode) { return (static_cast<unsigned>(opcode) & 0x8) != 0; }

/// Close status codes that we send (RFC 6455 section 7.4.1).
enum class CloseCode : std::uint16_t {
  None = 0,  ///< a Close frame without a payload; never on the wire
  Normal = 1000,
  GoingAway = 1001,
  ProtocolError = 1002,
  UnsupportedData = 1003,
  InvalidPayload = 1007,
  PolicyViolation = 1008,
  TooBig = 1009,
  InternalError = 1011,
};

constexpr std::size_t kMaxControlPayload = 125;
constexpr std::size_t kMaxClientHeader = 14;
constexpr std::size_t kMaxCloseReason = kMaxControlPayload - 2;

struct FrameHeader {
  std::uint64_t length = 0;         ///< of the payload, under 2^63
  std::size_t size = 0;             ///< of the header itself
  std::array<std::byte, 4> mask{};  ///< a client's frames are always masked
  Opcode opcode = Opcode::Binary;
  bool fin = false;
};

/// Reads one client frame header from the front of `in` (RFC 6455 section 5.2).
///
/// Takes nothing from `in`: on Done the caller drops `header.size` bytes (6 to 14).
/// NeedMore  fewer bytes than the header needs; `header` is untouched
/// Bad       reserved bit or opcode, control frame split or over 125 bytes, length not in its
///           shortest form or with its top bit set, or no mask. Close with 1002. `why`, when not
///           null, points to the reason in words.
/// Refuses as soon as the bytes that tell are there.
Parse parse_frame_header(Bytes in, FrameHeader& header, const char** why = nullptr);

struct ClosePayload {
  CloseCode code = CloseCode::None;  ///< may be any value that a peer may send
  std::string_view reason;           ///< UTF-8, points into the payload
};

/// Reads a Close frame's payload (RFC 6455 sections 5.5.1 and 7.4). Returns CloseCode::None if it
/// is well formed, else the code to answer with: ProtocolError for one byte alone or a code that
/// must not be sent, InvalidPayload for a reason that is not UTF-8.
CloseCode parse_close(Bytes payload, ClosePayload& out);

}  // namespace wsproxy::ws
