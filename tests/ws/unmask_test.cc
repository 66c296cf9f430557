#include "ws/unmask.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "support/builders.h"

namespace wsproxy::ws {
namespace {

using test::kMask;
using test::pattern;

constexpr std::byte kUntouched{0xee};
constexpr std::size_t kWidest = 32;  // bytes of a vector: alignments repeat after it

// The formula of RFC 6455 section 5.3, a byte at a time.
std::vector<std::byte> model(Bytes in, std::uint64_t offset) {
  std::vector<std::byte> out(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = in[i] ^ kMask[(i + offset) % 4];
  return out;
}

std::uint32_t turned_mask(std::uint64_t offset) {
  test::Mask turned{};
  for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = kMask[(i + offset) % 4];
  return std::bit_cast<std::uint32_t>(turned);
}

// Memory that begins at a multiple of a vector's size, to be misaligned on purpose.
struct alignas(kWidest) Area {
  std::array<std::byte, 512> bytes{};
};

TEST(Unmask, AgreesWithTheRfcsFormulaAtEverySizeAndOffset) {
  for (std::size_t size = 0; size <= 300; ++size) {
    for (std::uint64_t offset = 0; offset < 9; ++offset) {
      const auto in = pattern(size);
      const auto wanted = model(in, offset);
      std::vector<std::byte> out(size);
      unmask(in, out, kMask, offset);
      ASSERT_EQ(out, wanted) << size << " at " << offset;
      auto in_place = in;
      unmask(in_place, in_place, kMask, offset);
      ASSERT_EQ(in_place, wanted) << size << " at " << offset << " in place";
    }
  }
}

TEST(Unmask, TakesOffsetsFarBeyond32Bits) {
  const auto in = pattern(20);
  for (const std::uint64_t offset : {std::uint64_t{1} << 32, (std::uint64_t{1} << 62) + 3}) {
    std::vector<std::byte> near(in.size());
    std::vector<std::byte> far(in.size());
    unmask(in, near, kMask, offset % 4);
    unmask(in, far, kMask, offset);
    EXPECT_EQ(far, near);
  }
}

TEST(Unmask, TakesAFrameInPiecesAsWellAsWhole) {
  const auto in = pattern(1000);
  const auto wanted = model(in, 0);
  for (const std::size_t piece : {1U, 3U, 31U, 32U, 33U, 127U, 129U, 999U}) {
    std::vector<std::byte> out(in.size());
    for (std::size_t at = 0; at < in.size(); at += piece) {
      const std::size_t size = std::min(piece, in.size() - at);
      unmask(Bytes(in).subspan(at, size), MutableBytes(out).subspan(at, size), kMask, at);
    }
    EXPECT_EQ(out, wanted) << piece;
  }
}

TEST(Unmaskers, TheOneForAnyProcessorIsAlwaysThere) {
  ASSERT_FALSE(unmaskers().empty());
  EXPECT_STREQ(unmaskers().back().name, "words");
}

#if defined(__x86_64__)
TEST(Unmaskers, Avx2IsTakenWhereTheProcessorHasIt) {
  EXPECT_STREQ(unmaskers().front().name, __builtin_cpu_supports("avx2") ? "AVX2" : "SSE2");
}
#endif

// Sizes on both sides of every vector and every round of four, all alignments of both buffers, all turns
// of the mask; nothing around the result is touched.
TEST(Unmaskers, EachAgreesWithTheFormulaAtEveryAlignment) {
  for (const Unmasker& unmasker : unmaskers()) {
    for (const std::size_t size :
         {0U, 1U, 7U, 8U, 15U, 17U, 31U, 33U, 63U, 64U, 65U, 127U, 128U, 129U, 287U}) {
      for (std::uint64_t offset = 0; offset < 4; ++offset) {
        const auto payload = pattern(size);
        const auto wanted = model(payload, offset);
        for (std::size_t from = 0; from < kWidest; ++from) {
          Area in;
          std::ranges::copy(payload, in.bytes.begin() + static_cast<std::ptrdiff_t>(from));
          for (const std::size_t to :
               {from, (from * 7 + 1) % kWidest, std::size_t{0}, kWidest - 1}) {
            Area out;
            out.bytes.fill(kUntouched);
            Area expected = out;
            std::ranges::copy(wanted, expected.bytes.begin() + static_cast<std::ptrdiff_t>(to));
            unmasker.run(in.bytes.data() + from, out.bytes.data() + to, size, turned_mask(offset));
            ASSERT_EQ(std::memcmp(out.bytes.data(), expected.bytes.data(), out.bytes.size()), 0)
                << unmasker.name << ": " << size << " bytes at " << from << " to " << to
                << ", offset " << offset;
          }
        }
      }
    }
  }
}

TEST(Unmaskers, EachWorksInPlace) {
  for (const Unmasker& unmasker : unmaskers()) {
    for (std::size_t size = 0; size < 300; size += 7) {
      auto bytes = pattern(size);
      const auto wanted = model(bytes, 3);
      unmasker.run(bytes.data(), bytes.data(), size, turned_mask(3));
      EXPECT_EQ(bytes, wanted) << unmasker.name << ": " << size;
    }
  }
}

}  // namespace
}  // namespace wsproxy::ws
