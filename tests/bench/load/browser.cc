#include "bench/load/browser.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "bench/load/report.h"

namespace wsproxy::bench {
namespace {

constexpr std::size_t kBatch = 65536;  // bytes of an upload for each time the socket is writable
constexpr std::size_t kRead = 131072;
constexpr std::size_t kReadTurn = 65536;  // of TLS, which gives a record at a time
constexpr std::size_t kMaxAnswer = 16384;
constexpr std::size_t kEchoSize = 8;

MutableBytes read_block() {
  static std::vector<std::byte> block(kRead);
  return block;
}

// Each echo is another number.
std::array<std::byte, kEchoSize> echo_bytes(std::uint32_t id, std::uint64_t number) {
  std::array<std::byte, kEchoSize> bytes{};
  store_big_endian((std::uint64_t{id} << 40U) | number, bytes);
  return bytes;
}

}  // namespace

Browser::Browser(Stage& stage, Task task, std::uint32_t id)
    : stage_(stage), task_(task), id_(id), wire_(stage.tls.get()) {}

void Browser::start() {
  out_.clear();
  flushed_ = 0;
  answer_.clear();
  reader_ = FrameReader();
  said_hello_ = false;
  greeted_ = 0;
  started_at_ = now_ns();
  state_ = State::Connecting;
  if (!wire_.connect(stage_.options.port)) ended("cannot connect");
  events_ = EPOLLOUT;
  stage_.loop.add(wire_.fd(), *this, events_);
}

void Browser::connected(std::uint32_t events) {
  if (wire_.connected() == Wire::Step::Failed) return ended("refused");
  if ((events & EPOLLOUT) == 0) return;
  state_ = State::Tls;
  handshake();
}

void Browser::handshake() {
  const Wire::Step step = wire_.handshake(stage_.options.resume);
  if (step == Wire::Step::Failed) return ended("TLS");
  if (step == Wire::Step::Wait) return rearm();
  was_resumed_ = wire_.is_resumed();
  if (stage_.options.raw) return opened();
  Upgrade upgrade = make_upgrade(stage_.options.path, stage_.options.port, wire_.is_tls());
  accept_ = std::move(upgrade.accept);
  out_ = std::move(upgrade.request);
  state_ = State::Upgrade;
  flush();
  rearm();
}

void Browser::opened() {
  state_ = State::Open;
  if (on_open) on_open(*this);
  rearm();
}

void Browser::take_answer(Bytes in) {
  answer_.append(as_text(in));
  const std::size_t end = answer_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (answer_.size() > kMaxAnswer) ended("an answer without end");
    return;
  }
  const std::string head = answer_.substr(0, end);
  if (!head.starts_with("HTTP/1.1 101")) return ended(head.substr(0, head.find('\r')));
  if (head.find(accept_) == std::string::npos) return ended("wrong Sec-WebSocket-Accept");
  const std::string rest = answer_.substr(end + 4);
  opened();
  if (state_ != State::Closed) take(as_bytes(rest));
}

void Browser::take(Bytes in) {
  if (state_ == State::Upgrade) return take_answer(in);
  if (!stage_.options.raw) return reader_.feed(in, *this);
  if (!in.empty()) on_payload(in);
}

void Browser::on_payload(Bytes payload) {
  received_ += payload.size();
  switch (task_) {
    case Task::Download:
      if (!expected_.matches(payload)) ended("wrong bytes");
      stage_.count.down_got += payload.size();
      return;
    case Task::Request:
      if (payload.size() > missing_) ended("more than was requested");
      if (!expected_.matches(payload)) ended("wrong bytes");
      missing_ -= payload.size();
      stage_.count.down_got += payload.size();
      if (on_update) on_update(*this);
      return;
    case Task::Echo: return take_echo(payload);
    case Task::Greeting:
      if (kGreeting.substr(greeted_, payload.size()) != as_text(payload)) ended("wrong greeting");
      greeted_ += payload.size();
      if (greeted_ == kGreeting.size()) on_update(*this);
      return;
    case Task::Upload: ended("bytes that nobody sent");
  }
}

void Browser::take_echo(Bytes in) {
  while (!in.empty()) {
    const std::size_t size = std::min(kEchoSize - echo_.size(), in.size());
    echo_.append(as_text(in.first(size)));
    in = in.subspan(size);
    if (echo_.size() < kEchoSize) return;
    const auto expected = echo_bytes(id_, echoes_got_++);
    if (echo_ != as_text(expected) || echoes_.empty()) ended("a wrong echo");
    echo_.clear();
    const std::uint64_t since = echoes_.front();
    echoes_.pop_front();
    ++stage_.count.echoes;
    if (on_echo) on_echo(since);
  }
}

void Browser::on_control(unsigned opcode, Bytes payload) {
  if (opcode == kPing) {
    ++stage_.count.pings;
    append_frame(out_, kPong, payload);
    flush();
  }
  if (opcode == kClose) {
    if (state_ != State::Closing) ended("the proxy closed");
    abandon();
  }
}

void Browser::send_hello() {
  Hello hello;
  hello.task = task_;
  hello.id = id_;
  hello.salt = static_cast<std::uint32_t>(random_number());
  expected_ = Pattern(id_, hello.salt);
  sending_ = Pattern(id_, ~hello.salt);
  said_hello_ = true;
  send(std::as_bytes(std::span(&hello, 1)));
}

void Browser::request(std::uint64_t size) {
  std::array<std::byte, kRequestSize> message{std::byte{kRequestMark}};
  store_big_endian(size, MutableBytes(message).subspan(2));
  missing_ += size;
  send(message);
}

void Browser::echo(std::uint64_t since) {
  echoes_.push_back(since);
  send(echo_bytes(id_, echoes_sent_++));
}

void Browser::finish() {
  state_ = State::Closing;
  finishing_since_ = now_ns();
  if (stage_.options.raw) {
    wire_.shutdown();
  } else {
    const std::array<std::byte, 2> normal{std::byte{0x03}, std::byte{0xE8}};  // 1000
    append_frame(out_, kClose, normal);
    flush();
  }
  rearm();
}

void Browser::abandon() {
  if (state_ == State::Closed) return;
  state_ = State::Closed;
  wire_.close();
  if (on_closed) on_closed(*this);
}

void Browser::ended(std::string_view why) {
  if (state_ == State::Closing) return abandon();
  give_up("browser " + std::to_string(id_) + ": " + std::string(why));
}

void Browser::send(Bytes message) {
  if (stage_.options.raw) {
    out_.append(as_text(message));
  } else {
    append_frame(out_, kBinary, message);
  }
  flush();
  rearm();
}

void Browser::flush() {
  while (flushed_ < out_.size()) {
    const auto sent = wire_.write(as_bytes(out_).subspan(flushed_));
    if (!sent) return ended("cannot write");
    if (*sent == 0) return;
    flushed_ += *sent;
  }
  out_.clear();
  flushed_ = 0;
}

bool Browser::may_fill() const {
  return task_ == Task::Upload && state_ == State::Open && said_hello_ && stage_.sending_up;
}

// Frames of the wanted size, about 64 KiB of them in one write.
void Browser::fill() {
  const auto frame = static_cast<std::size_t>(stage_.options.frame);
  for (std::size_t size = 0; size == 0 || size + frame <= kBatch; size += frame) {
    const auto mask = static_cast<std::uint32_t>(random_number());
    if (!stage_.options.raw) append_header(out_, kBinary, frame, mask);
    for (std::size_t done = 0; done < frame;) {
      const Bytes piece = sending_.next(frame - done);
      if (stage_.options.raw) {
        out_.append(as_text(piece));
      } else {
        append_masked(out_, piece, mask);
      }
      sending_.skip(piece.size());
      done += piece.size();
    }
    stage_.count.up_sent += frame;
  }
}

void Browser::read_some() {
  const MutableBytes block = read_block();
  for (std::size_t total = 0; state_ != State::Closed && !paused_;) {
    const auto got = wire_.read(block);
    if (!got) return ended("the proxy ended the connection");
    if (*got == 0) return;
    total += *got;
    take(block.first(*got));
    if (!wire_.is_tls() || (total >= kReadTurn && !wire_.has_pending())) return;
  }
}

void Browser::pause(bool paused) {
  paused_ = paused;
  rearm();
}

void Browser::rearm() {
  if (state_ == State::Closed) return;
  std::uint32_t wanted = paused_ ? 0U : static_cast<std::uint32_t>(EPOLLIN);
  const bool has_more = !out_.empty() || may_fill();
  if (has_more || wire_.wants_write() || state_ == State::Connecting) wanted |= EPOLLOUT;
  if (wanted == events_) return;
  events_ = wanted;
  stage_.loop.change(wire_.fd(), *this, events_, urgent_);
}

void Browser::make_urgent() {
  urgent_ = true;
  stage_.loop.make_urgent(wire_.fd(), *this, events_);
}

void Browser::ready(std::uint32_t events) {
  if (state_ == State::Closed) return;
  if (state_ == State::Connecting) return connected(events);
  if (state_ == State::Tls) return handshake();
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_some();
  if ((events & EPOLLOUT) != 0 && state_ != State::Closed) {
    flush();
    if (out_.empty() && may_fill()) {
      fill();
      flush();
    }
  }
  rearm();
}

}  // namespace wsproxy::bench
