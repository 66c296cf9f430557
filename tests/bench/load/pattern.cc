#include "bench/load/pattern.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace wsproxy::bench {
namespace {

// A prime: no buffer's size is in step with it.
constexpr std::size_t kPeriod = 65521;

std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31);
}

// A period and as much again that any piece of it is contiguous.
const std::vector<std::byte>& bytes() {
  static const std::vector<std::byte> all = [] {
    std::vector<std::byte> made(kPeriod + Pattern::kMaxPiece);
    for (std::size_t i = 0; i < made.size(); ++i) {
      made[i] = i < kPeriod ? static_cast<std::byte>(random_number()) : made[i - kPeriod];
    }
    return made;
  }();
  return all;
}

}  // namespace

std::uint64_t random_number() {
  static std::uint64_t state = 0x9E3779B97F4A7C15U;
  return mix(state += 0x9E3779B97F4A7C15U);
}

Pattern::Pattern(std::uint32_t connection, std::uint32_t salt)
    : place_(mix((std::uint64_t{connection} << 32) + salt) % kPeriod) {}

Bytes Pattern::next(std::size_t size) const {
  return Bytes(bytes()).subspan(place_, std::min(size, kMaxPiece));
}

void Pattern::skip(std::size_t size) { place_ = (place_ + size) % kPeriod; }

bool Pattern::matches(Bytes in) {
  while (!in.empty()) {
    const Bytes expected = next(in.size());
    if (std::memcmp(expected.data(), in.data(), expected.size()) != 0) return false;
    skip(expected.size());
    in = in.subspan(expected.size());
  }
  return true;
}

}  // namespace wsproxy::bench
