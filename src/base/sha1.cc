#include "base/sha1.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace wsproxy {
namespace {

using State = std::array<std::uint32_t, 5>;
constexpr std::size_t kBlock = 64;

void add_block(State& state, Bytes block) {
  std::array<std::uint32_t, 80> w{};
  for (std::size_t t = 0; t < 16; ++t) {
    w[t] = static_cast<std::uint32_t>(load_big_endian(block.subspan(t * 4, 4)));
  }
  for (std::size_t t = 16; t < 80; ++t) {
    w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
  }
  auto [a, b, c, d, e] = state;
  for (std::size_t t = 0; t < 80; ++t) {
    std::uint32_t f = b ^ c ^ d;
    std::uint32_t k = 0xca62c1d6;
    if (t < 20) {
      f = (b & c) | (~b & d);
      k = 0x5a827999;
    } else if (t < 40) {
      k = 0x6ed9eba1;
    } else if (t < 60) {
      f = (b & c) | (b & d) | (c & d);
      k = 0x8f1bbcdc;
    }
    const std::uint32_t next = std::rotl(a, 5) + f + e + k + w[t];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

}  // namespace

std::array<std::byte, 20> sha1(Bytes message) {
  State state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  const std::uint64_t length_bits = std::uint64_t{message.size()} * 8;
  while (message.size() >= kBlock) {
    add_block(state, message.first(kBlock));
    message = message.subspan(kBlock);
  }
  // the rest, a one bit, zeroes, and the length: one block, or two when the length does not fit
  std::array<std::byte, 2 * kBlock> tail{};
  std::ranges::copy(message, tail.begin());
  tail[message.size()] = std::byte{0x80};
  const std::size_t size = message.size() + 9 <= kBlock ? kBlock : 2 * kBlock;
  store_big_endian(length_bits, MutableBytes(tail).subspan(size - 8, 8));
  for (std::size_t at = 0; at < size; at += kBlock) {
    add_block(state, Bytes(tail).subspan(at, kBlock));
  }
  std::array<std::byte, 20> digest{};
  for (std::size_t i = 0; i < state.size(); ++i) {
    store_big_endian(state[i], MutableBytes(digest).subspan(i * 4, 4));
  }
  return digest;
}

}  // namespace wsproxy
