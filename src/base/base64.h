// Base64 with padding (RFC 4648 section 4), strict: one spelling for each sequence of bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace wsproxy {

constexpr std::size_t base64_size(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

/// Writes base64_size(in.size()) characters to the front of `out`, which has room for them.
void base64_encode(Bytes in, MutableBytes out);
std::string base64_encode(Bytes in);

/// Nothing if `text` is not canonical base64: wrong length or alphabet, wrong padding, or
/// bits set that no byte uses (RFC 4648 section 3.5).
std::optional<std::string> base64_decode(std::string_view text);

/// Decodes base64 that arrives in pieces of any size. Each message ends with its own padding.
class Base64Decoder {
 public:
  /// Decodes `in` to the front of `out` (room for in.size() bytes is always enough).
  /// Returns how many bytes were written, or nothing when `in` is not canonical base64.
  std::optional<std::size_t> decode(Bytes in, MutableBytes out);

  /// Ends a message: false if it stopped inside a group of four. Ready for the next one.
  bool finish();

 private:
  unsigned bits_ = 0;
  unsigned count_ = 0;    // characters of the current group, padding included
  unsigned padding_ = 0;  // '=' seen in this message; nothing may follow the last
};

}  // namespace wsproxy
