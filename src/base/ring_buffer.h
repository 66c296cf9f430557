// A bounded first-in first-out queue of bytes. Holds no memory while it is empty and released.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace wsproxy {

/// Blocks of one size, kept for reuse so that a session's ring costs no malloc per wake-up.
class BufferPool {
 public:
  explicit BufferPool(std::size_t block_bytes, std::size_t keep_blocks = 16)
      : block_bytes_(block_bytes), keep_blocks_(keep_blocks) {
    free_.reserve(keep_blocks_);  // giving back, as destructors do, must not need memory
  }

  [[nodiscard]] std::size_t block_bytes() const { return block_bytes_; }
  std::unique_ptr<std::byte[]> take();
  void give_back(std::unique_ptr<std::byte[]> block);

 private:
  std::size_t block_bytes_;
  std::size_t keep_blocks_;
  std::vector<std::unique_ptr<std::byte[]>> free_;
};

/// Ring over one block of a pool. The block is taken at the first write and goes back whenever the
/// last byte is dropped, so an idle session costs no buffer.
class RingBuffer {
 public:
  explicit RingBuffer(BufferPool& pool) : pool_(&pool) {}
  ~RingBuffer() { clear(); }
  RingBuffer(const RingBuffer&) = delete;
  RingBuffer& operator=(const RingBuffer&) = delete;

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t capacity() const { return pool_->block_bytes(); }
  [[nodiscard]] std::size_t free() const { return capacity() - size_; }

  /// The bytes in order, in one or two parts (the second is empty when they do not wrap).
  struct Parts {
    Bytes first, second;
  };
  [[nodiscard]] Parts readable() const;

  /// Free space that starts `skip` bytes behind the last byte: its longest contiguous run. Empty
  /// when there is none. What is written there counts only after `commit`.
  MutableBytes writable(std::size_t skip = 0);

  /// Writes `bytes` at `offset` behind the last byte, across the wrap if need be, uncommitted.
  void poke(std::size_t offset, Bytes bytes);

  /// Moves `length` uncommitted bytes from `from` to `to` (offsets behind the last byte, to <
  /// from).
  void shift(std::size_t from, std::size_t to, std::size_t length);

  /// Adds the next `length` bytes of free space, written before, to the queue.
  void commit(std::size_t length);

  /// Appends all of `bytes`. The caller has checked free().
  void append(Bytes bytes);

  /// Takes `length` bytes from the front.
  void drop(std::size_t length);

  /// Forgets everything and gives the block back.
  void clear();

  /// Gives an unused block back (after writable() was not followed by a commit).
  void release_if_empty() {
    if (size_ == 0) clear();
  }

 private:
  [[nodiscard]] std::size_t index(std::size_t offset) const;

  BufferPool* pool_;
  std::unique_ptr<std::byte[]> block_;
  std::uint32_t head_ = 0;  // a block is far from 4 GiB, and every idle session has two rings
  std::uint32_t size_ = 0;
};

}  // namespace wsproxy
