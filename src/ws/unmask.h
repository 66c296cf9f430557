// Taking the mask off a client's payload (RFC 6455 section 5.3).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace wsproxy::ws {

/// XORs `in` into `out` (same size) with `mask`, `offset` bytes into the payload, with the widest vectors
/// that this processor has. `in` and `out` are the same or do not overlap; neither need be aligned.
void unmask(Bytes in, MutableBytes out, const std::array<std::byte, 4>& mask, std::uint64_t offset);

/// One way to do it. `mask` holds its four bytes as they are in memory, turned so that the first is for in[0].
struct Unmasker {
  const char* name;
  void (*run)(const std::byte* in, std::byte* out, std::size_t size, std::uint32_t mask);
};

/// Those that this processor can run, the widest first; unmask() takes the first one.
std::span<const Unmasker> unmaskers();

}  // namespace wsproxy::ws
