// Views of bytes, and numbers in network byte order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace wsproxy {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

/// What a parser that is fed from a socket answers.
enum class Parse { Done, NeedMore, Bad };

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Reads `in`, of at most 8 bytes, as an unsigned number in network byte order.
inline std::uint64_t load_big_endian(Bytes in) {
  std::uint64_t value = 0;
  for (const std::byte b : in) value = (value << 8) | std::to_integer<std::uint64_t>(b);
  return value;
}

/// Fills `out` with the low bytes of `value` in network byte order.
inline void store_big_endian(std::uint64_t value, MutableBytes out) {
  for (std::size_t i = out.size(); i-- > 0; value >>= 8) out[i] = static_cast<std::byte>(value);
}

}  // namespace wsproxy
