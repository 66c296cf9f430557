#include "session/opening.h"

#include <algorithm>

namespace wsproxy::session {
namespace {

constexpr std::size_t kReadBytes = std::size_t{16} * 1024;  // at once, while there is no relay

}  // namespace

Opening::Progress Opening::read_head(io::Stream& client, MutableBytes scratch) {
  head_ = {};
  while (true) {
    const Parse found = scanner_.scan(received_);
    if (found == Parse::Done) {
      const Bytes head = Bytes(received_).first(scanner_.head_bytes());
      status_ = http::parse_request_head(head, limits_, head_);
      if (status_ == 0) return Progress::Whole;
    }
    if (found == Parse::Bad) status_ = scanner_.status();
    if (found != Parse::NeedMore) {
      give_up_head();
      return Progress::Bad;
    }
    const MutableBytes room = scratch.first(std::min(scratch.size(), kReadBytes));
    const io::IoResult result = client.read(room);
    if (result.kind == io::IoResult::Kind::Again) return Progress::Wait;
    if (!result.is_ok()) return received_.empty() ? Progress::Gone : Progress::GoneHalf;
    const Bytes got = room.first(result.bytes);
    received_.insert(received_.end(), got.begin(), got.end());
  }
}

void Opening::next_request() {
  const auto used = static_cast<std::ptrdiff_t>(scanner_.head_bytes());
  received_.erase(received_.begin(), received_.begin() + used);
  scanner_ = http::HeadScanner(limits_);
  head_ = {};
  reply.reset();
}

void Opening::give_up_head() {
  head_ = {};
  if (http::method_of(received_) == "HEAD") head_.method = "HEAD";
}

}  // namespace wsproxy::session
