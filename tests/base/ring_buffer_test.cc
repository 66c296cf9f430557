#include "base/ring_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <string>

#include "support/builders.h"

namespace wsproxy {
namespace {

using test::bytes_of;
using test::pattern;
using test::text_of;

std::string contents(const RingBuffer& ring) {
  const auto [first, second] = ring.readable();
  return text_of(first) + text_of(second);
}

// A ring whose first byte is going to be at `head` of its block: one byte stays in front.
void turn_to(RingBuffer& ring, std::size_t head) {
  ring.append(pattern(head + 1));
  ring.drop(head);
}

TEST(RingBuffer, IsEmptyAndHoldsNoBytesAtTheStart) {
  BufferPool pool(16);
  const RingBuffer ring(pool);
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.size(), 0U);
  EXPECT_EQ(ring.free(), 16U);
  EXPECT_EQ(ring.capacity(), 16U);
  EXPECT_TRUE(ring.readable().first.empty());
  EXPECT_TRUE(ring.readable().second.empty());
}

TEST(RingBuffer, WrapsAtEveryOffset) {
  constexpr std::size_t kSize = 13;
  for (std::size_t head = 0; head < kSize; ++head) {
    for (std::size_t length = 0; length < kSize; ++length) {
      BufferPool pool(kSize);
      RingBuffer ring(pool);
      turn_to(ring, head);
      const auto more = pattern(length, 5);
      ring.append(more);
      ASSERT_EQ(ring.size(), length + 1);
      ASSERT_EQ(ring.free(), kSize - length - 1);
      ASSERT_EQ(contents(ring).substr(1), text_of(more)) << head << " " << length;
      const auto [first, second] = ring.readable();
      ASSERT_EQ(first.size(), std::min(length + 1, kSize - head));
      ASSERT_EQ(second.size(), length + 1 - first.size());
    }
  }
}

TEST(RingBuffer, WritableIsTheRunUpToTheWrapAndThenTheRest) {
  BufferPool pool(8);
  RingBuffer ring(pool);
  turn_to(ring, 4);  // the byte is at 4, free are 5 6 7 0 1 2 3
  EXPECT_EQ(ring.writable().size(), 3U);
  EXPECT_EQ(ring.writable(2).size(), 1U);
  EXPECT_EQ(ring.writable(3).size(), 4U);
  EXPECT_EQ(ring.writable(6).size(), 1U);
  EXPECT_TRUE(ring.writable(7).empty());
  EXPECT_TRUE(ring.writable(100).empty());
  ring.commit(3);
  EXPECT_EQ(ring.writable().size(), 4U);
  ring.commit(4);
  EXPECT_TRUE(ring.writable().empty());
  EXPECT_EQ(ring.free(), 0U);
}

TEST(RingBuffer, WhatIsWrittenBehindASkipCountsAfterCommit) {
  BufferPool pool(8);
  RingBuffer ring(pool);
  const MutableBytes room = ring.writable(2);
  ASSERT_EQ(room.size(), 6U);
  std::ranges::copy(bytes_of("cd"), room.begin());
  EXPECT_TRUE(ring.empty());
  ring.poke(0, as_bytes("ab"));
  EXPECT_TRUE(ring.empty());
  ring.commit(4);
  EXPECT_EQ(contents(ring), "abcd");
}

TEST(RingBuffer, PokesAcrossTheWrapAtEveryOffset) {
  constexpr std::size_t kSize = 11;
  for (std::size_t head = 0; head < kSize; ++head) {
    BufferPool pool(kSize);
    RingBuffer ring(pool);
    turn_to(ring, head);
    ASSERT_FALSE(ring.writable().empty());
    ring.poke(0, as_bytes("..........").first(kSize - 1));
    ring.poke(3, as_bytes("abcd"));
    ring.commit(kSize - 1);
    ASSERT_EQ(contents(ring).substr(1), "...abcd...") << head;
  }
}

TEST(RingBuffer, ShiftsAcrossTheWrapAtEveryOffset) {
  constexpr std::size_t kSize = 11;
  for (std::size_t head = 0; head < kSize; ++head) {
    for (std::size_t to = 0; to < 4; ++to) {
      BufferPool pool(kSize);
      RingBuffer ring(pool);
      turn_to(ring, head);
      ASSERT_FALSE(ring.writable().empty());
      ring.poke(0, as_bytes("....abcdef"));
      ring.shift(4, to, 6);
      ring.commit(to + 6);
      ASSERT_EQ(contents(ring).substr(1 + to), "abcdef") << head << " " << to;
    }
  }
}

TEST(RingBuffer, GivesItsBlockBackWithTheLastByte) {
  BufferPool pool(8, 1);
  RingBuffer ring(pool);
  ring.append(as_bytes("x"));
  const std::byte* block = ring.readable().first.data();
  ring.drop(1);
  auto given_back = pool.take();
  EXPECT_EQ(given_back.get(), block);
  ring.append(as_bytes("y"));
  EXPECT_NE(ring.readable().first.data(), block) << "the block is ours now";
}

TEST(RingBuffer, KeepsItsBlockWhileAByteIsLeft) {
  BufferPool pool(8, 1);
  RingBuffer ring(pool);
  ring.append(as_bytes("xy"));
  ring.drop(1);
  EXPECT_NE(pool.take().get(), ring.readable().first.data() - 1);
  EXPECT_EQ(contents(ring), "y");
}

TEST(RingBuffer, TakesNoBlockToAppendNothing) {
  BufferPool pool(8, 1);
  auto block = pool.take();
  const std::byte* address = block.get();
  pool.give_back(std::move(block));
  RingBuffer ring(pool);
  ring.append({});
  EXPECT_EQ(pool.take().get(), address);
}

TEST(RingBuffer, ReleasesABlockThatWasNotWrittenTo) {
  BufferPool pool(8, 1);
  RingBuffer ring(pool);
  const std::byte* block = ring.writable().data();
  ring.release_if_empty();
  EXPECT_EQ(pool.take().get(), block);
}

TEST(RingBuffer, ReleaseIfEmptyKeepsBytes) {
  BufferPool pool(8, 1);
  RingBuffer ring(pool);
  ring.append(as_bytes("x"));
  ring.release_if_empty();
  EXPECT_EQ(contents(ring), "x");
}

TEST(RingBuffer, GivesItsBlockBackWhenItDies) {
  BufferPool pool(8, 1);
  const std::byte* block = nullptr;
  {
    RingBuffer ring(pool);
    ring.append(as_bytes("x"));
    block = ring.readable().first.data();
  }
  EXPECT_EQ(pool.take().get(), block);
}

TEST(RingBuffer, StartsAtTheFrontOfTheBlockAfterItWasEmpty) {
  BufferPool pool(8);
  RingBuffer ring(pool);
  ring.append(as_bytes("12345"));
  ring.drop(5);
  EXPECT_EQ(ring.writable().size(), 8U);
}

TEST(RingBuffer, BehavesLikeADeque) {
  constexpr std::size_t kSize = 61;
  BufferPool pool(kSize, 2);
  RingBuffer ring(pool);
  std::deque<std::byte> model;
  std::mt19937 random(20240611);
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
  for (std::uint32_t step = 0; step < 200'000; ++step) {
    switch (below(7)) {
      case 0: {
        const auto more = pattern(below(ring.free() + 1), step);
        ring.append(more);
        model.insert(model.end(), more.begin(), more.end());
        break;
      }
      case 1:
      case 2: {
        const std::size_t n = below(ring.size() + 1);
        ring.drop(n);
        model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(n));
        break;
      }
      case 3: {  // read into the ring, as a stream does
        const MutableBytes room = ring.writable();
        const auto more = pattern(below(room.size() + 1), step);
        std::ranges::copy(more, room.begin());
        ring.commit(more.size());
        model.insert(model.end(), more.begin(), more.end());
        break;
      }
      case 4: {  // a payload behind a gap, its header put in front afterwards
        const std::size_t gap = below(5);
        const MutableBytes room = ring.writable(gap);
        if (room.empty()) break;
        const auto more = pattern(1 + below(room.size()), step);
        std::ranges::copy(more, room.begin());
        const std::size_t header = below(gap + 1);
        if (header < gap) ring.shift(gap, header, more.size());
        const auto front = pattern(header, step + 1);
        ring.poke(0, front);
        ring.commit(header + more.size());
        model.insert(model.end(), front.begin(), front.end());
        model.insert(model.end(), more.begin(), more.end());
        break;
      }
      case 5: ring.release_if_empty(); break;
      default:
        if (below(200) == 0) {
          ring.clear();
          model.clear();
        }
    }
    ASSERT_EQ(ring.size(), model.size()) << step;
    ASSERT_EQ(ring.empty(), model.empty()) << step;
    const auto [first, second] = ring.readable();
    ASSERT_EQ(first.size() + second.size(), model.size()) << step;
    ASSERT_TRUE(std::equal(first.begin(), first.end(), model.begin())) << step;
    ASSERT_TRUE(std::equal(second.begin(), second.end(),
                           model.begin() + static_cast<std::ptrdiff_t>(first.size())))
        << step;
  }
}

TEST(RingBufferDeathTest, MoreThanThereIsIsABug) {
  BufferPool pool(4);
  RingBuffer ring(pool);
  ring.append(as_bytes("abc"));
  EXPECT_DEATH(ring.append(as_bytes("de")), "CHECK");
  EXPECT_DEATH(ring.drop(4), "CHECK");
  EXPECT_DEATH(ring.commit(2), "CHECK");
  EXPECT_DEATH(ring.poke(1, as_bytes("x")), "CHECK");
}

TEST(BufferPool, ReusesBlocksUpToItsLimit) {
  BufferPool pool(8, 2);
  auto a = pool.take();
  auto b = pool.take();
  auto c = pool.take();
  const std::byte* kept[] = {a.get(), b.get()};
  pool.give_back(std::move(a));
  pool.give_back(std::move(b));
  pool.give_back(std::move(c));
  const auto first = pool.take();
  const auto second = pool.take();
  EXPECT_TRUE(std::ranges::is_permutation(kept, std::array{first.get(), second.get()}));
  EXPECT_EQ(pool.block_bytes(), 8U);
}

}  // namespace
}  // namespace wsproxy
