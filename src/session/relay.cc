#include "session/relay.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace wsproxy::session {

using io::IoResult;
using Event = ws::FrameDecoder::Event;

Relay::Relay(io::Stream& client, ws::Payload payload, BufferPool& pool, MutableBytes scratch,
             io::PipePool* pipes)
    : client_(client),
      scratch_(scratch),
      target_out_(pool),
      client_out_(pool),
      decoder_(payload),
      encoder_(payload),
      bulk_(payload == ws::Payload::Binary && client.is_plain() ? pipes : nullptr) {}

void Relay::send_first(std::string_view head) { client_out_.append(as_bytes(head)); }

void Relay::limit_control_frames(const Clock& clock, unsigned per_second) {
  control_clock_ = &clock;
  const auto rate = static_cast<float>(per_second);
  control_frames_ = TokenBucket(rate, rate, clock.now());
}

void Relay::take_early(Bytes bytes) {
  CHECK(bytes.size() <= target_out_.free());
  decode(bytes);
}

void Relay::attach(io::Stream& target) { target_ = &target; }

void Relay::close(CloseReason reason, std::string_view detail) {
  const CloseRow& why = row(reason);
  const std::string_view text = detail.empty() ? why.text : detail;
  begin_close(why.code, std::string(text), text);
}

// The one way into the downstream end: what is logged, what goes into the Close frame. The first counts.
void Relay::begin_close(ws::CloseCode code, std::string ending, std::string_view reason) {
  if (down_ != Flow::Open) return;
  note_ending(std::move(ending), code);
  close_due_ = std::make_unique<PendingClose>(code, std::string(reason));
  down_ = Flow::Draining;
}

void Relay::give_up_target() {
  target_given_up_ = true;
  target_out_.clear();
}

void Relay::client_hung_up() {
  client_hung_up_ = true;
  note_ending(std::string(row(CloseReason::ClientGone).text), ws::CloseCode::None);
}

void Relay::note_ending(std::string text, ws::CloseCode code) {
  if (!ending_) ending_ = std::make_unique<Ending>(std::move(text), code);
}

void Relay::pump(bool client_ready, bool target_ready) {
  pump_up(client_ready || client_.has_buffered());
  pump_down(target_ready || (target_ != nullptr && target_->has_buffered()));
}

// --- client to target ---

void Relay::pump_up(bool client_ready) {
  if (up_ == Flow::Open && client_ready && may_read()) read_client();
  if (target_ != nullptr && (!target_out_.empty() || !target_->flushed())) write_target();
  if (up_ == Flow::Draining && !owes_target()) {
    if (target_ != nullptr) target_->shutdown_write();
    up_ = Flow::Closed;
  }
}

void Relay::read_client() {
  const std::size_t room = std::min(scratch_.size(), target_out_.free());
  if (room == 0) return;
  const IoResult result = client_.read(scratch_.first(room));
  switch (result.kind) {
    case IoResult::Kind::Ok:
      from_client_ += result.bytes;
      decode(scratch_.first(result.bytes));
      return;
    case IoResult::Kind::Again: return;
    case IoResult::Kind::Eof:
      note_ending("client went away without a Close frame", ws::CloseCode::None);
      up_ = Flow::Draining;
      return;
    case IoResult::Kind::Failed:
      client_unwritable(describe(result));
      up_ = Flow::Draining;
      return;
  }
}

void Relay::decode(Bytes in) {
  while (!in.empty() && up_ == Flow::Open) {
    // what does not fit before the ring's wrap goes behind it: the decoder takes pieces of any size
    const MutableBytes room = target_out_.writable();
    const Bytes piece = in.first(std::min(in.size(), room.size()));
    const auto progress = decoder_.decode(piece, room);
    if (!target_given_up_) {
      if (observer_ != nullptr && progress.produced > 0) {
        observer_->from_client(room.first(progress.produced));
      }
      target_out_.commit(progress.produced);
      to_target_ += progress.produced;
    }
    in = in.subspan(progress.consumed);
    if (!handle(progress.event)) break;
  }
  target_out_.release_if_empty();
}

// False when nothing more of the client counts.
bool Relay::handle(Event event) {
  switch (event) {
    case Event::None: return true;
    case Event::Pong: return may_send_control();
    case Event::Ping:
      if (!may_send_control()) return false;
      pong_due_ = std::make_unique<std::string>(as_text(decoder_.control()));
      append_due_control();
      return true;
    case Event::Close: client_closed(decoder_.control()); return false;
    case Event::Bad: {
      const std::string text = std::string("bad frame: ") + decoder_.error();
      begin_close(decoder_.close_code(), text, text);
      up_ = Flow::Draining;
      return false;
    }
  }
  return false;
}

// Each costs us a frame or a look: a client that sends nothing else must not keep us busy.
bool Relay::may_send_control() {
  if (control_clock_ == nullptr || control_frames_.take(control_clock_->now())) return true;
  close(CloseReason::ControlFlood, "");
  up_ = Flow::Draining;
  return false;
}

void Relay::client_closed(Bytes payload) {
  up_ = Flow::Draining;
  ws::ClosePayload close;
  const ws::CloseCode fault = ws::parse_close(payload, close);
  if (fault != ws::CloseCode::None) return begin_close(fault, "bad Close frame", "bad Close frame");
  std::string ending(row(CloseReason::ClientClosed).text);
  if (!close.reason.empty()) ending.append(": ").append(close.reason);
  begin_close(close.code, std::move(ending), close.reason);  // nothing, if this answers our Close
}

// Nothing more reaches the client. What it sent before may still be in the kernel: reading goes on until
// that says EOF or fails.
void Relay::client_unwritable(const std::string& how) {
  note_ending(std::string(row(CloseReason::ClientGone).text) + ": " + how, ws::CloseCode::None);
  down_ = Flow::Closed;
  close_due_.reset();
  pong_due_.reset();
  client_out_.clear();
  bulk_.clear();
}

void Relay::write_target() {
  const auto [first, second] = target_out_.readable();
  const std::array parts = {first, second};
  const std::size_t held = target_->unflushed();
  const IoResult result = target_->write(parts);
  const std::size_t holds = target_->unflushed();
  if (held > holds) written_to_target_ += held - holds;
  if (result.is_ok()) {
    written_to_target_ += result.bytes;
    target_out_.drop(result.bytes);
  } else if (result.kind == IoResult::Kind::Failed) {
    // it may still have something for the client: its EOF or failure is found by reading
    target_write_error_ = result.error;
    give_up_target();
  }
}

// --- target to client ---

void Relay::pump_down(bool target_ready) {
  if (target_ready) {
    if (down_ == Flow::Open) {
      if (may_read()) read_target();
    } else if (discards_target()) {
      discard_target();
    }
  }
  append_due_control();
  if (owes_client()) write_client();
  if (down_ == Flow::Draining && !close_due_ && !owes_client()) down_ = Flow::Closed;
}

void Relay::read_target() {
  if (!bulk_.empty()) return;  // its hang-up is reported though nobody asked
  if (bulk_.flows() && client_out_.empty() && observer_ == nullptr && target_->is_plain()) {
    return splice_target();
  }
  const MutableBytes room = encoder_.room(client_out_);
  if (room.empty()) return;
  const IoResult result = target_->read(room);
  if (result.is_ok()) {
    to_client_ += result.bytes;
    bulk_.note_read(result.bytes);
    if (observer_ != nullptr) observer_->from_target(room.first(result.bytes));
    encoder_.seal(client_out_, result.bytes);
    return;
  }
  client_out_.release_if_empty();
  target_ended(result);
}

void Relay::splice_target() {
  const IoResult result = bulk_.take(target_->fd());
  if (result.is_ok()) {
    to_client_ += result.bytes;
  } else if (bulk_.flows()) {
    target_ended(result);
  }  // else the next turn reads
}

void Relay::target_ended(const IoResult& result) {
  if (result.kind == IoResult::Kind::Again) return;
  target_ended_ = true;
  // a write that failed took the error with it, and reading says just EOF
  const bool reset = result.kind == IoResult::Kind::Eof && target_write_error_ == ECONNRESET;
  if (result.kind == IoResult::Kind::Eof && !reset) {
    close(CloseReason::TargetClosed, "");
  } else {
    give_up_target();
    close(CloseReason::TargetReset, std::string(row(CloseReason::TargetReset).text) + ": " +
                                        (reset ? describe_errno(ECONNRESET) : describe(result)));
  }
}

// The client takes no more, but a target that cannot write might not read what is still for it.
void Relay::discard_target() {
  const IoResult result = target_->read(scratch_);
  if (result.kind == IoResult::Kind::Eof || result.kind == IoResult::Kind::Failed) {
    target_ended_ = true;
  }
}

bool Relay::discards_target() const {
  return target_ != nullptr && down_ != Flow::Open && !target_ended_ && owes_target();
}

// Something of the client's is still for the target: in our ring, or in TLS records inside its stream.
bool Relay::owes_target() const {
  return !target_out_.empty() || (target_ != nullptr && !target_given_up_ && !target_->flushed());
}

void Relay::append_due_control() {
  if (pong_due_ && (down_ != Flow::Open ||
                    append_control(client_out_, ws::Opcode::Pong, as_bytes(*pong_due_)))) {
    pong_due_.reset();
  }
  if (ping_due_ && (down_ != Flow::Open || append_control(client_out_, ws::Opcode::Ping, {}))) {
    ping_due_ = false;
  }
  if (close_due_ && append_close(client_out_, close_due_->code, close_due_->reason)) {
    close_due_.reset();
  }
}

bool Relay::owes_client() const {
  return !bulk_.empty() || !client_out_.empty() || !client_.flushed();
}

// What is in the ring came later than what is in the pipe.
IoResult Relay::send_client() {
  if (!bulk_.empty()) return bulk_.send(client_.fd());
  const auto [first, second] = client_out_.readable();
  const std::array parts = {first, second};
  const bool last = down_ == Flow::Draining && !close_due_ && up_ == Flow::Closed;
  const IoResult result = last ? client_.write_last(parts) : client_.write(parts);
  if (result.is_ok()) client_out_.drop(result.bytes);
  return result;
}

void Relay::write_client() {
  const std::size_t held = client_.unflushed();
  const bool spliced = !bulk_.empty();
  const IoResult result = send_client();
  if (result.kind == IoResult::Kind::Failed) return client_unwritable(describe(result));
  const std::size_t holds = client_.unflushed();
  if (held > holds) written_to_client_ += held - holds;
  if (!result.is_ok()) return;
  written_to_client_ += result.bytes;
  if (spliced && bulk_.empty() && !client_out_.empty()) write_client();
}

std::string_view Relay::ending() const {
  if (ending_) return ending_->text;
  return target_broke_ ? row(CloseReason::TargetReset).text : std::string_view();
}

std::uint64_t Relay::drained() const {
  if (down_ == Flow::Draining) return written_to_client_;
  if (down_ == Flow::Closed) return up_ == Flow::Draining ? written_to_target_ : 0;
  return written_to_client_ + written_to_target_;
}

// --- readiness, worked out from state ---

bool Relay::can_continue() const {
  if (reads_client() && client_.has_buffered()) return true;
  return target_ != nullptr && target_->has_buffered() && reads_target();
}

bool Relay::reads_client() const {
  return up_ == Flow::Open && target_out_.free() > 0 && may_read();
}

bool Relay::reads_target() const {
  const bool relays =
      down_ == Flow::Open && bulk_.empty() && ws::FrameEncoder::has_room(client_out_) && may_read();
  return relays || discards_target();
}

io::Interest Relay::client_interest() const {
  const bool read = reads_client();
  return client_.interest(
      {.read = read,
       .write = !client_out_.empty() || !bulk_.empty() || close_due_ || pong_due_ || ping_due_,
       .hang_up = !read && up_ == Flow::Open && !client_hung_up_});
}

io::Interest Relay::target_interest() const {
  if (target_ == nullptr) return {};
  const bool read = reads_target();
  return target_->interest({.read = read,
                            .write = !target_out_.empty(),
                            .error = !read && down_ == Flow::Open && !target_broke_});
}

}  // namespace wsproxy::session
