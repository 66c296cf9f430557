// Bulk from one socket to another inside the kernel: splice(2) by way of a pipe.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/unique_fd.h"
#include "io/stream.h"

namespace wsproxy::io {

/// Empty pipes, kept for reuse: a turn of a stream costs no pipe2 and no close. There is a limit to all of
/// them together, for each costs two descriptors, and those who do not get one can go without.
class PipePool {
 public:
  struct Pipe {
    UniqueFd out;
    UniqueFd in;
  };

  explicit PipePool(std::size_t most = 32) : most_(most) {
    free_.reserve(most_);  // giving back is not the time to run out of memory
  }

  /// Null when `most` are in use already, or there are no descriptors left.
  std::unique_ptr<Pipe> take();
  void give_back(std::unique_ptr<Pipe> empty);
  /// For one that is not empty: it is closed.
  void lose(std::unique_ptr<Pipe> pipe);

  [[nodiscard]] std::size_t in_use() const { return in_use_; }

 private:
  std::size_t most_;
  std::size_t in_use_ = 0;
  std::vector<std::unique_ptr<Pipe>> free_;
};

/// One frame at a time: fill it, put its header in front, drain it. Has a pipe only while it is not empty.
class Conduit {
 public:
  explicit Conduit(PipePool& pool) : pool_(pool) {}
  ~Conduit() { clear(); }
  Conduit(const Conduit&) = delete;
  Conduit& operator=(const Conduit&) = delete;

  static constexpr std::size_t kMaxHead = 10;

  /// Takes at most `most` bytes from socket `from`, as Stream::read would. The conduit is empty.
  /// Failed with EMFILE: there is no pipe for it; with EINVAL: that is no socket to splice from. Nothing
  /// was taken then, and reading is the way.
  IoResult fill(int from, std::size_t most);

  /// What goes out in front of it. At most kMaxHead bytes.
  void put_in_front(Bytes head);

  /// Sends on to socket `to` as much as goes, as Stream::write would; the bytes of the head count too.
  IoResult drain(int to);

  /// Forgets what is inside.
  void clear();

  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::size_t size() const { return head_size_ - head_done_ + inside_; }

 private:
  IoResult send_head(int to);

  PipePool& pool_;
  std::unique_ptr<PipePool::Pipe> pipe_;
  std::size_t inside_ = 0;  // of the pipe
  std::array<std::byte, kMaxHead> head_{};
  std::uint8_t head_size_ = 0;
  std::uint8_t head_done_ = 0;
};

}  // namespace wsproxy::io
