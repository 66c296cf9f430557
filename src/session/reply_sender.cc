#include "session/reply_sender.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace wsproxy::session {

using io::IoResult;

IoResult ReplySender::send(io::Stream& client, MutableBytes scratch) {
  const std::size_t memory = reply_.head.size() + reply_.body.size();
  while (memory_done_ < memory) {
    const IoResult result = send_memory(client);
    if (!result.is_ok()) return result;
  }
  if (reply_.file_bytes > 0) return send_file(client, scratch);
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

// One piece a call: the next one comes with the next writable event, after the other sessions'
// turn.
IoResult ReplySender::send_file(io::Stream& client, MutableBytes scratch) {
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
