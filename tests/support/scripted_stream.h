// A stream whose peer is the test: no descriptor, no kernel, no waiting.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>

#include "io/stream.h"

namespace wsproxy::test {

/// What the test holds of a stream; lives on after the stream is closed.
struct Peer {
  std::string to_read;  ///< the stream gives these bytes
  bool eof = false;     ///< and then says EOF
  int read_error = 0;   ///< or fails
  std::size_t read_limit = std::numeric_limits<std::size_t>::max();  ///< most bytes a read gives
  std::string written;                                               ///< what was written to it
  std::size_t write_room = std::numeric_limits<std::size_t>::max();  ///< bytes it still takes
  int write_error = 0;
  bool write_shut = false;  ///< shutdown_write() was called
  bool closed = false;      ///< the stream was destroyed
  std::size_t reads = 0;    ///< calls of read()

  // as TLS does it
  std::size_t inside = 0;  ///< of to_read: bytes in the stream already, no descriptor tells of them
  bool keeps_rest = false;    ///< write() takes all, and holds what does not fit the room
  std::string held;           ///< taken by write(), not written yet
  bool last_written = false;  ///< by write_last(), which promises that shutdown_write() follows
};

class ScriptedStream final : public io::Stream {
 public:
  explicit ScriptedStream(std::shared_ptr<Peer> peer) : peer_(std::move(peer)) {}
  ~ScriptedStream() override { peer_->closed = true; }

  io::IoResult read(MutableBytes out) override {
    ++peer_->reads;
    const io::IoResult result = peek(out);
    if (result.is_ok()) {
      peer_->to_read.erase(0, result.bytes);
      peer_->inside -= std::min(peer_->inside, result.bytes);
    }
    return result;
  }

  io::IoResult peek(MutableBytes out) override {
    if (!peer_->to_read.empty()) {
      const std::size_t n = std::min({out.size(), peer_->to_read.size(), peer_->read_limit});
      std::ranges::copy(as_bytes(peer_->to_read).first(n), out.begin());
      return io::IoResult::ok(n);
    }
    if (peer_->read_error != 0) return io::IoResult::failed(peer_->read_error);
    return peer_->eof ? io::IoResult::eof() : io::IoResult::again();
  }

  io::IoResult write_last(std::span<const Bytes> parts) override {
    peer_->last_written = true;
    return write(parts);
  }

  io::IoResult write(std::span<const Bytes> parts) override {
    if (peer_->write_error != 0) {
      peer_->held.clear();
      return io::IoResult::failed(peer_->write_error);
    }
    if (!flush()) return io::IoResult::again();
    std::size_t total = 0;
    std::size_t wanted = 0;
    for (const Bytes part : parts) {
      wanted += part.size();
      const std::size_t n = std::min(part.size(), peer_->write_room);
      peer_->written += as_text(part.first(n));
      peer_->write_room -= n;
      total += n;
      if (peer_->keeps_rest) {
        peer_->held += as_text(part.subspan(n));
        total += part.size() - n;
      }
    }
    return total == 0 && wanted > 0 ? io::IoResult::again() : io::IoResult::ok(total);
  }

  void shutdown_write() override { peer_->write_shut = true; }
  [[nodiscard]] std::size_t unflushed() const override { return peer_->held.size(); }
  [[nodiscard]] bool has_buffered() const override { return peer_->inside > 0; }
  [[nodiscard]] io::Interest interest(io::Interest wanted) const override {
    if (!peer_->held.empty()) wanted.write = true;
    return wanted;
  }
  [[nodiscard]] int fd() const override { return -1; }

 private:
  bool flush() {
    const std::size_t n = std::min(peer_->held.size(), peer_->write_room);
    peer_->written += peer_->held.substr(0, n);
    peer_->held.erase(0, n);
    peer_->write_room -= n;
    return peer_->held.empty();
  }

  std::shared_ptr<Peer> peer_;
};

}  // namespace wsproxy::test
