#include "io/conduit.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"

namespace wsproxy::io {
namespace {

constexpr unsigned kFlags = SPLICE_F_NONBLOCK | SPLICE_F_MOVE;

}  // namespace

std::unique_ptr<PipePool::Pipe> PipePool::take() {
  if (in_use_ == most_) return nullptr;
  std::unique_ptr<Pipe> pipe;
  if (free_.empty()) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return nullptr;
    pipe = std::make_unique<Pipe>(UniqueFd(ends[0]), UniqueFd(ends[1]));
  } else {
    pipe = std::move(free_.back());
    free_.pop_back();
  }
  ++in_use_;
  return pipe;
}

void PipePool::give_back(std::unique_ptr<Pipe> empty) {
  --in_use_;
  free_.push_back(std::move(empty));
}

void PipePool::lose(std::unique_ptr<Pipe> pipe) {
  --in_use_;
  pipe.reset();
}

IoResult Conduit::fill(int from, std::size_t most) {
  CHECK(empty());
  if (!pipe_) pipe_ = pool_.take();
  if (!pipe_) return IoResult::failed(EMFILE);
  const ssize_t n = ::splice(from, nullptr, pipe_->in.get(), nullptr, most, kFlags);
  const int error = errno;
  if (n > 0) {
    inside_ = static_cast<std::size_t>(n);
    return IoResult::ok(inside_);
  }
  clear();
  return n == 0 ? IoResult::eof() : IoResult::of_error(error);
}

void Conduit::put_in_front(Bytes head) {
  CHECK(head.size() <= kMaxHead);
  std::ranges::copy(head, head_.begin());
  head_size_ = static_cast<std::uint8_t>(head.size());
  head_done_ = 0;
}

// With MSG_MORE the kernel waits for the payload, so that both leave in one segment.
IoResult Conduit::send_head(int to) {
  const Bytes rest = Bytes(head_).first(head_size_).subspan(head_done_);
  const ssize_t n = ::send(to, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_MORE);
  if (n < 0) return IoResult::of_error(errno);
  head_done_ = static_cast<std::uint8_t>(head_done_ + n);
  return IoResult::ok(static_cast<std::size_t>(n));
}

IoResult Conduit::drain(int to) {
  std::size_t sent = 0;
  if (head_done_ < head_size_) {
    const IoResult head = send_head(to);
    if (!head.is_ok() || head_done_ < head_size_) return head;
    sent = head.bytes;
  }
  while (inside_ > 0) {
    const ssize_t n = ::splice(pipe_->out.get(), nullptr, to, nullptr, inside_, kFlags);
    if (n <= 0) {
      const IoResult result = IoResult::of_error(n == 0 ? EPIPE : errno);
      if (result.kind == IoResult::Kind::Failed || sent == 0) return result;
      return IoResult::ok(sent);
    }
    inside_ -= static_cast<std::size_t>(n);
    sent += static_cast<std::size_t>(n);
  }
  clear();
  return IoResult::ok(sent);
}

void Conduit::clear() {
  if (pipe_ && inside_ == 0) pool_.give_back(std::move(pipe_));
  if (pipe_) pool_.lose(std::move(pipe_));
  inside_ = 0;
  head_size_ = 0;
  head_done_ = 0;
}

}  // namespace wsproxy::io
