#include "bench/load/target.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "bench/load/browser.h"
#include "bench/load/report.h"

namespace wsproxy::bench {
namespace {

constexpr std::size_t kWrite = 65536;  // bytes for each time the socket is writable
constexpr std::size_t kRead = 131072;
constexpr int kBacklog = 4096;

MutableBytes read_block() {
  static std::vector<std::byte> block(kRead);
  return block;
}

std::string hex(Bytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", std::to_integer<unsigned>(byte));
    text += digits;
  }
  return text;
}

}  // namespace

TargetConnection::TargetConnection(Stage& stage, UniqueFd fd) : stage_(stage), fd_(std::move(fd)) {
  const int one = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  events_ = EPOLLIN;
  stage_.loop.add(fd_.get(), *this, events_);
  if (!stage_.greeting) return;
  is_known_ = true;
  told_.task = Task::Greeting;
  out_ = kGreeting;
  flush();
}

bool TargetConnection::may_send() const {
  if (!is_known_) return false;
  if (told_.task == Task::Request) return owed_ > 0;
  if (told_.task != Task::Download || !stage_.sending_down) return false;
  return stage_.down_limit == 0 || sent_ < stage_.down_limit;
}

void TargetConnection::rearm() {
  if (!fd_) return;
  std::uint32_t wanted = paused_ ? 0U : static_cast<std::uint32_t>(EPOLLIN);
  if (!out_.empty() || may_send()) wanted |= EPOLLOUT;
  if (wanted == events_) return;
  events_ = wanted;
  stage_.loop.change(fd_.get(), *this, events_, urgent_);
}

void TargetConnection::pause(bool paused) {
  paused_ = paused;
  rearm();
}

void TargetConnection::make_urgent() {
  urgent_ = true;
  stage_.loop.make_urgent(fd_.get(), *this, events_);
}

void TargetConnection::close() {
  if (!fd_) return;
  fd_.reset();
  --stage_.target->open;
}

void TargetConnection::flush() {
  if (out_.empty()) return;
  const ssize_t sent = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
  if (sent > 0) out_.erase(0, static_cast<std::size_t>(sent));
  if (sent < 0 && errno != EAGAIN) close();
}

void TargetConnection::send_pattern() {
  std::uint64_t size = kWrite;
  if (told_.task == Task::Request) size = std::min(size, owed_);
  if (told_.task == Task::Download && stage_.down_limit > 0) {
    size = std::min(size, stage_.down_limit - sent_);
  }
  const Bytes bytes = sending_.next(size);
  const ssize_t result = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (result < 0) {
    if (errno != EAGAIN) close();
    return;
  }
  const auto sent = static_cast<std::uint64_t>(result);
  sending_.skip(sent);
  sent_ += sent;
  stage_.count.down_sent += sent;
  if (told_.task == Task::Request) owed_ -= sent;
}

void TargetConnection::take_hello(Bytes& in) {
  const std::size_t size = std::min(sizeof told_ - hello_.size(), in.size());
  hello_.append(as_text(in.first(size)));
  in = in.subspan(size);
  if (hello_.size() < sizeof told_) return;
  std::memcpy(&told_, hello_.data(), sizeof told_);
  if (told_.magic != Hello().magic || told_.id >= stage_.browsers.size()) {
    give_up("the target got a wrong first message: " + hex(as_bytes(hello_)));
  }
  is_known_ = true;
  sending_ = Pattern(told_.id, told_.salt);
  expected_ = Pattern(told_.id, ~told_.salt);
  stage_.browsers[told_.id]->target = this;
}

void TargetConnection::take_requests(Bytes in) {
  while (!in.empty()) {
    const std::size_t size = std::min(kRequestSize - request_.size(), in.size());
    request_.append(as_text(in.first(size)));
    in = in.subspan(size);
    if (request_.size() < kRequestSize) return;
    if (request_[0] != kRequestMark) give_up("the target got a wrong request");
    owed_ += load_big_endian(as_bytes(request_).subspan(2));
    request_.clear();
  }
  send_pattern();
}

void TargetConnection::take(Bytes in) {
  if (!is_known_) take_hello(in);
  if (in.empty()) return;
  received_ += in.size();
  switch (told_.task) {
    case Task::Upload:
      if (!expected_.matches(in)) give_up("the target got wrong bytes");
      stage_.count.up_got += in.size();
      return;
    case Task::Echo:
      out_.append(as_text(in));
      flush();
      return;
    case Task::Request: take_requests(in); return;
    case Task::Download:
    case Task::Greeting: give_up("the target got bytes that nobody sent");
  }
}

void TargetConnection::ready(std::uint32_t events) {
  if (!fd_) return;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    const MutableBytes block = read_block();
    const ssize_t got = ::recv(fd_.get(), block.data(), block.size(), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return close();
    if (got > 0) take(block.first(static_cast<std::size_t>(got)));
  }
  if (fd_ && (events & EPOLLOUT) != 0) {
    flush();
    if (fd_ && out_.empty() && may_send()) send_pattern();
  }
  rearm();
}

TargetServer::TargetServer(Stage& stage)
    : stage_(stage), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd_.get(), kBacklog) != 0) {
    give_up("the target cannot listen");
  }
  stage_.loop.add(fd_.get(), *this, EPOLLIN);
}

int TargetServer::port() const {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

void TargetServer::ready(std::uint32_t /*events*/) {
  for (int i = 0; i < 64; ++i) {
    UniqueFd fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    ++open;
    connections_.push_back(std::make_unique<TargetConnection>(stage_, std::move(fd)));
  }
}

}  // namespace wsproxy::bench
