#include "session/reply_sender.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "io/plain_stream.h"

namespace wsproxy::session {

namespace {

// Of a file that the kernel sends by itself; then the other sessions have their turn.
constexpr std::uint64_t kMostAtOnce = std::uint64_t{256} * 1024;

}  // namespace

using io::IoResult;

IoResult ReplySender::send(io::Stream& client, MutableBytes scratch) {
  if (reply_.file_bytes > 0 && client.is_plain() && !copies_) {
    const IoResult result = send_file(client);
    copies_ = result.kind == IoResult::Kind::Failed && result.error == EINVAL;
    if (!copies_) return result;
  }
  const std::size_t memory = reply_.head.size() + reply_.body.size();
  while (memory_done_ < memory) {
    const IoResult result = send_memory(client);
    if (!result.is_ok()) return result;
  }
  if (reply_.file_bytes > 0) return copy_file(client, scratch);
  const std::size_t before = client.unflushed();
  const IoResult flushed = client.write({});
  progress_ += before - client.unflushed();
  if (flushed.kind == IoResult::Kind::Failed) return flushed;
  return client.flushed() ? flushed : IoResult::again();
}

IoResult ReplySender::send_memory(io::Stream& client) {
  const Bytes head = as_bytes(reply_.head);
  const std::size_t head_done = std::min(memory_done_, head.size());
  const std::array parts = {head.subspan(head_done), reply_.body.subspan(memory_done_ - head_done)};
  const IoResult result = client.write(parts);
  if (result.is_ok()) {
    memory_done_ += result.bytes;
    progress_ += result.bytes;
  }
  return result;
}

// Head and file; there is no body in memory then.
IoResult ReplySender::send_file(io::Stream& client) {
  const Bytes head = as_bytes(reply_.head).subspan(memory_done_);
  const auto most = static_cast<std::size_t>(std::min(reply_.file_bytes, kMostAtOnce));
  const IoResult result = io::send_file(client.fd(), head, reply_.file.get(), reply_.offset, most);
  if (!result.is_ok()) return result;
  const std::size_t of_head = std::min(result.bytes, head.size());
  const std::size_t of_file = result.bytes - of_head;
  memory_done_ += of_head;
  progress_ += result.bytes;
  reply_.offset += of_file;
  reply_.file_bytes -= of_file;
  return reply_.file_bytes == 0 ? result : IoResult::again();
}

// One piece a call: the next one comes with the next writable event, after the other sessions'
// turn.
IoResult ReplySender::copy_file(io::Stream& client, MutableBytes scratch) {
  const std::size_t wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(scratch.size(), reply_.file_bytes));
  const ssize_t got =
      ::pread(reply_.file.get(), scratch.data(), wanted, static_cast<off_t>(reply_.offset));
  if (got <= 0) return IoResult::failed(got < 0 ? errno : 0, "the file changed while it was sent");
  const std::array parts = {Bytes(scratch.first(static_cast<std::size_t>(got)))};
  const IoResult result = client.write(parts);
  if (!result.is_ok()) return result;
  progress_ += result.bytes;
  reply_.offset += result.bytes;
  reply_.file_bytes -= result.bytes;
  return reply_.file_bytes == 0 && client.flushed() ? result : IoResult::again();
}

}  // namespace wsproxy::session
