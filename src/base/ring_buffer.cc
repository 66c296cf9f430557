#include "base/ring_buffer.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace wsproxy {

std::unique_ptr<std::byte[]> BufferPool::take() {
  if (free_.empty()) return std::make_unique_for_overwrite<std::byte[]>(block_bytes_);
  auto block = std::move(free_.back());
  free_.pop_back();
  return block;
}

void BufferPool::give_back(std::unique_ptr<std::byte[]> block) {
  if (free_.size() < keep_blocks_) free_.push_back(std::move(block));
}

std::size_t RingBuffer::index(std::size_t offset) const {
  const std::size_t at = head_ + offset;
  return at < capacity() ? at : at - capacity();
}

RingBuffer::Parts RingBuffer::readable() const {
  if (size_ == 0) return {};
  const std::size_t first = std::min(size(), capacity() - head_);
  return {{block_.get() + head_, first}, {block_.get(), size_ - first}};
}

MutableBytes RingBuffer::writable(std::size_t skip) {
  if (free() <= skip) return {};
  if (!block_) block_ = pool_->take();
  const std::size_t at = index(size_ + skip);
  return {block_.get() + at, std::min(free() - skip, capacity() - at)};
}

void RingBuffer::poke(std::size_t offset, Bytes bytes) {
  CHECK(offset + bytes.size() <= free());
  for (std::size_t i = 0; i < bytes.size(); ++i) block_[index(size_ + offset + i)] = bytes[i];
}

void RingBuffer::shift(std::size_t from, std::size_t to, std::size_t length) {
  CHECK(to < from && from + length <= free());
  for (std::size_t i = 0; i < length; ++i) {
    block_[index(size_ + to + i)] = block_[index(size_ + from + i)];
  }
}

void RingBuffer::commit(std::size_t length) {
  CHECK(length <= free());
  size_ += static_cast<std::uint32_t>(length);
}

void RingBuffer::append(Bytes bytes) {
  CHECK(bytes.size() <= free());
  while (!bytes.empty()) {
    const MutableBytes room = writable();
    const std::size_t n = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), n);
    commit(n);
    bytes = bytes.subspan(n);
  }
}

void RingBuffer::drop(std::size_t length) {
  CHECK(length <= size_);
  head_ = static_cast<std::uint32_t>(index(length));
  size_ -= static_cast<std::uint32_t>(length);
  if (size_ == 0) clear();
}

void RingBuffer::clear() {
  head_ = 0;
  size_ = 0;
  if (block_) pool_->give_back(std::move(block_));
}

}  // namespace wsproxy
