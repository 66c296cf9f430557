// ws::parse_close: what it takes may be sent back as it is, and reads the same there.
#include <string>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "fuzz/fuzz_input.h"
#include "ws/frame_encoder.h"

using namespace wsproxy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes payload = fuzz::Input(data, size).rest();
  ws::ClosePayload close;
  const ws::CloseCode fault = ws::parse_close(payload, close);
  if (fault != ws::CloseCode::None) {
    CHECK(fault == ws::CloseCode::ProtocolError || fault == ws::CloseCode::InvalidPayload);
    CHECK(close.code == ws::CloseCode::None && close.reason.empty());
    return 0;
  }
  CHECK(payload.empty() == (close.code == ws::CloseCode::None));
  CHECK(payload.empty() || as_text(payload.subspan(2)) == close.reason);
  CHECK(is_utf8(close.reason));
  const auto code = static_cast<unsigned>(close.code);
  CHECK(code == 0 || (code >= 1000 && code <= 4999));

  // any reason, however long, leaves a Close frame that a peer accepts
  BufferPool pool(256);
  RingBuffer ring(pool);
  CHECK(ws::append_close(ring, close.code, close.reason));
  const Bytes frame = ring.readable().first;
  CHECK(frame.size() >= 2 && frame.size() <= 2 + ws::kMaxControlPayload);
  CHECK(frame[0] == std::byte{0x88});
  CHECK(std::to_integer<std::size_t>(frame[1]) == frame.size() - 2);
  ws::ClosePayload again;
  CHECK(ws::parse_close(frame.subspan(2), again) == ws::CloseCode::None);
  CHECK(again.code == close.code);
  CHECK(close.reason.starts_with(again.reason));
  CHECK(close.reason.size() > ws::kMaxCloseReason || again.reason == close.reason);
  CHECK(again.reason.size() + 4 > ws::kMaxCloseReason || again.reason == close.reason);
  return 0;
}
