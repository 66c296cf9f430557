#include "ws/frame_encoder.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/base64.h"
#include "base/check.h"
#include "base/utf8.h"

namespace wsproxy::ws {
namespace {

constexpr std::size_t kGap = 4;          // header of all frames from 126 to 65,535 bytes
constexpr std::size_t kShortHeader = 2;  // header of frames up to 125 bytes
constexpr std::size_t kMaxPayload = 0xffff;
// base64 needs a third more room than what is read; a multiple of three pads nowhere but at the end
constexpr std::size_t kMaxBase64Read = kMaxPayload / 4 * 3;

// Less is not worth a frame: a full ring waits until this much has gone out.
constexpr std::size_t kMinRead = 1024;

// What has to stay free for a Close or Pong that becomes due while the client is slow.
constexpr std::size_t kControlReserve = kShortHeader + kMaxControlPayload;

}  // namespace

std::size_t write_frame_header(Opcode opcode, std::uint64_t length, MutableBytes out) {
  out[0] = static_cast<std::byte>(0x80U | static_cast<unsigned>(opcode));
  if (length <= 125) {
    out[1] = static_cast<std::byte>(length);
    return 2;
  }
  const bool wide = length > 0xffff;
  out[1] = std::byte{static_cast<unsigned char>(wide ? 127 : 126)};
  const std::size_t length_bytes = wide ? 8 : 2;
  store_big_endian(length, out.subspan(2, length_bytes));
  return 2 + length_bytes;
}

bool FrameEncoder::has_room(const RingBuffer& ring) {
  return ring.free() >= kGap + kControlReserve + kMinRead;
}

MutableBytes FrameEncoder::room(RingBuffer& ring) const {
  if (!has_room(ring)) return {};
  MutableBytes room = ring.writable(kGap);
  const std::size_t spare = ring.free() - kGap - kControlReserve;
  if (payload_ == Payload::Binary) return room.first(std::min({room.size(), spare, kMaxPayload}));
  return room.first(std::min({room.size(), spare / 4 * 3, kMaxBase64Read}));
}

void FrameEncoder::seal(RingBuffer& ring, std::size_t length) const {
  CHECK(length > 0);
  std::array<std::byte, kMaxServerHeader> header{};
  if (payload_ == Payload::Base64) {
    // the rare old client: encode through a copy, for the text is longer than what it stands for
    const MutableBytes raw = ring.writable(kGap).first(length);
    std::vector<std::byte> text(base64_size(length));
    base64_encode(raw, text);
    const std::size_t size = write_frame_header(Opcode::Text, text.size(), header);
    ring.append(Bytes(header).first(size));
    ring.append(text);
    return;
  }
  const std::size_t size = write_frame_header(Opcode::Binary, length, header);
  CHECK(size == kGap || size == kShortHeader);
  if (size < kGap) ring.shift(kGap, size, length);
  ring.poke(0, Bytes(header).first(size));
  ring.commit(size + length);
}

bool append_control(RingBuffer& ring, Opcode opcode, Bytes payload) {
  CHECK(payload.size() <= kMaxControlPayload);
  std::array<std::byte, kMaxServerHeader> header{};
  const std::size_t size = write_frame_header(opcode, payload.size(), header);
  if (ring.free() < size + payload.size()) return false;
  ring.append(Bytes(header).first(size));
  ring.append(payload);
  return true;
}

bool append_close(RingBuffer& ring, CloseCode code, std::string_view reason) {
  std::array<std::byte, kMaxControlPayload> payload{};
  std::size_t size = 0;
  if (code != CloseCode::None) {
    store_big_endian(static_cast<std::uint64_t>(code), MutableBytes(payload).first(2));
    const Bytes text = as_bytes(utf8_prefix(reason, kMaxCloseReason));
    std::ranges::copy(text, payload.begin() + 2);
    size = 2 + text.size();
  }
  return append_control(ring, Opcode::Close, Bytes(payload).first(size));
}

}  // namespace wsproxy::ws
