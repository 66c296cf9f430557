#include "ws/frame_decoder.h"

#include <algorithm>

#include "base/check.h"
#include "ws/unmask.h"

namespace wsproxy::ws {

Bytes FrameDecoder::control() const {
  if (!control_) return {};
  return Bytes(control_->bytes).first(control_->size);
}

FrameDecoder::Event FrameDecoder::bad(CloseCode code, const char* why) {
  close_code_ = code;
  error_ = why;
  return Event::Bad;
}

FrameDecoder::Progress FrameDecoder::decode(Bytes in, MutableBytes out) {
  CHECK(out.size() >= in.size());
  Progress progress;
  if (!in_frame_) control_.reset();  // within one, it is what has come of it so far
  while (progress.event == Event::None) {
    Bytes rest = in.subspan(progress.consumed);
    if (!in_frame_) {
      if (rest.empty()) break;
      // collect the header: rarely more than one piece, never more than 14 bytes
      const std::size_t had = header_size_;
      const std::size_t taken = std::min(rest.size(), header_bytes_.size() - had);
      std::copy_n(rest.begin(), taken, header_bytes_.begin() + static_cast<std::ptrdiff_t>(had));
      const char* why = "";
      const Parse parsed =
          parse_frame_header(Bytes(header_bytes_).first(had + taken), frame_, &why);
      if (parsed == Parse::Bad) {
        progress.event = bad(CloseCode::ProtocolError, why);
        break;
      }
      if (parsed == Parse::NeedMore) {
        header_size_ = static_cast<std::uint8_t>(had + taken);
        progress.consumed += taken;
        break;
      }
      progress.consumed += frame_.size - had;
      progress.event = begin_frame();
      continue;
    }
    const auto n =
        static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), frame_.length - done_));
    if (n == 0 && done_ < frame_.length) break;
    const auto produced = decode_payload(rest.first(n), out.subspan(progress.produced));
    if (!produced) {
      progress.event = bad(CloseCode::InvalidPayload, "text that is not base64");
      break;
    }
    progress.consumed += n;
    progress.produced += *produced;
    done_ += n;
    if (done_ == frame_.length) progress.event = end_frame();
  }
  return progress;
}

FrameDecoder::Event FrameDecoder::begin_frame() {
  header_size_ = 0;
  in_frame_ = true;
  done_ = 0;
  const Opcode opcode = frame_.opcode;
  if (is_control(opcode)) {
    control_ = std::make_unique<Control>();
    return Event::None;
  }
  if ((opcode == Opcode::Continuation) != in_message_) {
    return bad(CloseCode::ProtocolError, in_message_ ? "new message inside a fragmented one"
                                                     : "continuation without a message");
  }
  const Opcode wanted = payload_ == Payload::Binary ? Opcode::Binary : Opcode::Text;
  if (opcode != Opcode::Continuation && opcode != wanted) {
    return bad(CloseCode::UnsupportedData, payload_ == Payload::Binary
                                               ? "text frame where binary was agreed"
                                               : "binary frame where base64 text was agreed");
  }
  in_message_ = true;
  return Event::None;
}

FrameDecoder::Event FrameDecoder::end_frame() {
  in_frame_ = false;
  switch (frame_.opcode) {
    case Opcode::Ping: return Event::Ping;
    case Opcode::Pong: return Event::Pong;
    case Opcode::Close: return Event::Close;
    case Opcode::Continuation:
    case Opcode::Text:
    case Opcode::Binary: break;
  }
  if (!frame_.fin) return Event::None;
  in_message_ = false;
  if (payload_ == Payload::Base64 && !base64_.finish()) {
    return bad(CloseCode::InvalidPayload, "base64 text that ends inside a group");
  }
  return Event::None;
}

std::optional<std::size_t> FrameDecoder::decode_payload(Bytes in, MutableBytes out) {
  if (is_control(frame_.opcode)) {
    const MutableBytes room = MutableBytes(control_->bytes).subspan(control_->size, in.size());
    unmask(in, room, frame_.mask, done_);
    control_->size += in.size();
    return 0;
  }
  const MutableBytes room = out.first(in.size());
  unmask(in, room, frame_.mask, done_);
  return payload_ == Payload::Binary ? std::optional(in.size()) : base64_.decode(room, room);
}

}  // namespace wsproxy::ws
