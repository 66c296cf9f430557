#include "session/bulk.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "ws/frame_encoder.h"

namespace wsproxy::session {
namespace {

using io::IoResult;

// Below this the two copies cost less than the system calls that save them.
constexpr std::size_t kLarge = std::size_t{16} * 1024;

// A turn of one stream, while the others wait.
constexpr std::uint32_t kMinBudget = 64U * 1024;
constexpr std::uint32_t kMaxBudget = 256U * 1024;

bool cannot_splice(const IoResult& result) {
  return result.kind == IoResult::Kind::Failed &&
         (result.error == EMFILE || result.error == EINVAL || result.error == ENOSYS ||
          result.error == EPERM);
}

}  // namespace

Bulk::Bulk(io::PipePool* pipes) : pipes_(pipes), budget_(kMinBudget) {}

void Bulk::note_read(std::size_t bytes) {
  if (pipes_ == nullptr || bytes < kLarge) {
    large_reads_ = 0;
  } else if (large_reads_ < kLargeReads) {
    ++large_reads_;
  }
}

IoResult Bulk::take(int fd) {
  conduit_ = std::make_unique<io::Conduit>(*pipes_);
  const IoResult result = conduit_->fill(fd, budget_);
  if (!result.is_ok()) {
    conduit_.reset();
    if (cannot_splice(result)) {
      large_reads_ = 0;
      if (result.error != EMFILE) pipes_ = nullptr;  // it never will
    }
    return result;
  }
  std::array<std::byte, ws::kMaxServerHeader> header{};
  const std::size_t size = ws::write_frame_header(ws::Opcode::Binary, result.bytes, header);
  conduit_->put_in_front(Bytes(header).first(size));
  adapt(result.bytes);
  return result;
}

IoResult Bulk::send(int fd) {
  const IoResult result = conduit_->drain(fd);
  if (conduit_->empty()) conduit_.reset();
  return result;
}

// A target that fills its budget has more: it gets twice as much, and loses half when it does not need it.
void Bulk::adapt(std::size_t bytes) {
  note_read(bytes);
  if (bytes >= budget_) {
    budget_ = std::min(budget_ * 2, kMaxBudget);
  } else if (bytes < budget_ / 2) {
    budget_ = std::max(budget_ / 2, kMinBudget);
  }
}

}  // namespace wsproxy::session
