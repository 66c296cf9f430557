// Sends one web::Reply to a client, as fast as the client takes it.
#pragma once

#include "io/stream.h"
#include "web/reply.h"

namespace wsproxy::session {

class ReplySender {
 public:
  explicit ReplySender(web::Reply reply) : reply_(std::move(reply)) {}

  /// Ok: all is sent. Again: wait until the client takes more. Failed: the connection is of no more
  /// use (also when the file has become shorter than was announced). Sends a bounded amount;
  /// `scratch` is for the length of the call.
  io::IoResult send(io::Stream& client, MutableBytes scratch);

  /// Grows with what the client takes: no change, no progress.
  [[nodiscard]] std::uint64_t progress() const { return progress_; }
  [[nodiscard]] bool keep_alive() const { return reply_.keep_alive; }
  [[nodiscard]] int status() const { return reply_.status; }

 private:
  io::IoResult send_memory(io::Stream& client);
  io::IoResult send_file(io::Stream& client);
  io::IoResult copy_file(io::Stream& client, MutableBytes scratch);

  web::Reply reply_;
  std::size_t memory_done_ = 0;  // of head and body together
  std::uint64_t progress_ = 0;
  bool copies_ = false;  // the kernel cannot send the file by itself
};

}  // namespace wsproxy::session
