#include "base/utf8.h"

#include <cstdint>

namespace wsproxy {
namespace {

// Length of the well-formed character at the front of `text`, or 0 (RFC 3629 section 4).
std::size_t character_size(std::string_view text) {
  const auto at = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xc0) == 0x80; };
  const unsigned lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
  if ((lead & 0xf0) == 0xe0) {
    const bool second = lead == 0xe0   ? at(1) >= 0xa0 && at(1) <= 0xbf
                        : lead == 0xed ? at(1) >= 0x80 && at(1) <= 0x9f
                                       : tail(1);
    return second && tail(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool second = lead == 0xf0   ? at(1) >= 0x90 && at(1) <= 0xbf
                        : lead == 0xf4 ? at(1) >= 0x80 && at(1) <= 0x8f
                                       : tail(1);
    return second && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace wsproxy
