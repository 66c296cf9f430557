#include "ws/unmask.h"

#include <bit>
#include <cstring>
#include <vector>

#include "base/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace wsproxy::ws {
namespace {

// Key presses and pointer events: not worth a call through a pointer.
constexpr std::size_t kShort = 32;

void xor_by_words(const std::byte* in, std::byte* out, std::size_t size, std::uint32_t mask) {
  const std::uint64_t wide = mask * 0x1'0000'0001ULL;
  std::size_t i = 0;
  for (; i + sizeof wide <= size; i += sizeof wide) {
    std::uint64_t word = 0;
    std::memcpy(&word, in + i, sizeof word);
    word ^= wide;
    std::memcpy(out + i, &word, sizeof word);
  }
  std::array<std::byte, 4> turned{};
  std::memcpy(turned.data(), &mask, sizeof mask);
  for (; i < size; ++i) out[i] = in[i] ^ turned[i & 3];
}

#if defined(__x86_64__)

// Four vectors a round keep both load ports busy; what is left is less than one round.
void xor_by_sse2(const std::byte* in, std::byte* out, std::size_t size, std::uint32_t mask) {
  const __m128i wide = _mm_set1_epi32(static_cast<int>(mask));
  const auto xor_one = [wide](const std::byte* from, std::byte* to) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_xor_si128(block, wide));
  };
  constexpr std::size_t kRound = 4 * sizeof wide;
  std::size_t i = 0;
  for (; i + kRound <= size; i += kRound) {
    xor_one(in + i, out + i);
    xor_one(in + i + 16, out + i + 16);
    xor_one(in + i + 32, out + i + 32);
    xor_one(in + i + 48, out + i + 48);
  }
  xor_by_words(in + i, out + i, size - i, mask);
}

// No lambda here: it would not have the target of the function around it.
[[gnu::target("avx2")]] void xor_by_avx2(const std::byte* in, std::byte* out, std::size_t size,
                                         std::uint32_t mask) {
  const __m256i wide = _mm256_set1_epi32(static_cast<int>(mask));
  constexpr std::size_t kRound = 4 * sizeof wide;
  std::size_t i = 0;
  for (; i + kRound <= size; i += kRound) {
    const auto* from = reinterpret_cast<const __m256i*>(in + i);
    auto* to = reinterpret_cast<__m256i*>(out + i);
    const __m256i a = _mm256_xor_si256(_mm256_loadu_si256(from), wide);
    const __m256i b = _mm256_xor_si256(_mm256_loadu_si256(from + 1), wide);
    const __m256i c = _mm256_xor_si256(_mm256_loadu_si256(from + 2), wide);
    const __m256i d = _mm256_xor_si256(_mm256_loadu_si256(from + 3), wide);
    _mm256_storeu_si256(to, a);
    _mm256_storeu_si256(to + 1, b);
    _mm256_storeu_si256(to + 2, c);
    _mm256_storeu_si256(to + 3, d);
  }
  xor_by_words(in + i, out + i, size - i, mask);
}

#endif

std::vector<Unmasker> find_unmaskers() {
  std::vector<Unmasker> found;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) found.push_back({"AVX2", xor_by_avx2});
  found.push_back({"SSE2", xor_by_sse2});  // every x86-64 has it
#endif
  found.push_back({"words", xor_by_words});
  return found;
}

}  // namespace

std::span<const Unmasker> unmaskers() {
  static const std::vector<Unmasker> ours = find_unmaskers();
  return ours;
}

void unmask(Bytes in, MutableBytes out, const std::array<std::byte, 4>& mask,
            std::uint64_t offset) {
  CHECK(in.size() == out.size());
  static const auto widest = unmaskers().front().run;
  std::array<std::byte, 4> turned{};
  for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = mask[(offset + i) & 3];
  const auto run = in.size() < kShort ? xor_by_words : widest;
  run(in.data(), out.data(), in.size(), std::bit_cast<std::uint32_t>(turned));
}

}  // namespace wsproxy::ws
