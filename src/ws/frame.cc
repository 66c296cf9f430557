#include "ws/frame.h"

#include <algorithm>

#include "base/utf8.h"

namespace wsproxy::ws {
namespace {

constexpr std::size_t kMaskBytes = 4;

bool is_known(unsigned opcode) { return opcode <= 0x2 || (opcode >= 0x8 && opcode <= 0xA); }

// RFC 6455 section 7.4.1 and the codes registered with IANA since (1012 to 1014).
bool may_be_sent(unsigned code) {
  if (code >= 3000 && code <= 4999) return true;
  if (code < 1000 || code > 1014) return false;
  return code != 1004 && code != 1005 && code != 1006;
}

}  // namespace

Parse parse_frame_header(Bytes in, FrameHeader& header, const char** why) {
  const auto bad = [&](const char* reason) {
    if (why != nullptr) *why = reason;
    return Parse::Bad;
  };
  if (in.empty()) return Parse::NeedMore;
  const auto first = std::to_integer<unsigned>(in[0]);
  const unsigned opcode = first & 0x0f;
  const bool fin = (first & 0x80) != 0;
  if ((first & 0x70) != 0) return bad("reserved bit set");
  if (!is_known(opcode)) return bad("reserved opcode");
  const bool control = is_control(static_cast<Opcode>(opcode));
  if (control && !fin) return bad("control frame split");

  if (in.size() < 2) return Parse::NeedMore;
  const auto second = std::to_integer<unsigned>(in[1]);
  if ((second & 0x80) == 0) return bad("frame not masked");
  std::uint64_t length = second & 0x7f;
  if (control && length > kMaxControlPayload) return bad("control frame over 125 bytes");
  const std::size_t length_bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (length_bytes == 8 && in.size() > 2 && (in[2] & std::byte{0x80}) != std::byte{0}) {
    return bad("length has its top bit set");
  }
  if (in.size() < 2 + length_bytes) return Parse::NeedMore;
  if (length_bytes > 0) {
    length = load_big_endian(in.subspan(2, length_bytes));
    if (length <= (length_bytes == 2 ? 125U : 0xffffU)) return bad("length not minimal");
  }
  const std::size_t size = 2 + length_bytes + kMaskBytes;
  if (in.size() < size) return Parse::NeedMore;
  header.fin = fin;
  header.opcode = static_cast<Opcode>(opcode);
  header.length = length;
  std::ranges::copy(in.subspan(size - kMaskBytes, kMaskBytes), header.mask.begin());
  header.size = size;
  return Parse::Done;
}

CloseCode parse_close(Bytes payload, ClosePayload& out) {
  out = {};
  if (payload.empty()) return CloseCode::None;
  if (payload.size() == 1) return CloseCode::ProtocolError;
  const auto code = static_cast<unsigned>(load_big_endian(payload.first(2)));
  if (!may_be_sent(code)) return CloseCode::ProtocolError;
  const std::string_view reason = as_text(payload.subspan(2));
  if (!is_utf8(reason)) return CloseCode::InvalidPayload;
  out.code = static_cast<CloseCode>(code);
  out.reason = reason;
  return CloseCode::None;
}

}  // namespace wsproxy::ws
