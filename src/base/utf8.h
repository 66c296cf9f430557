// UTF-8 (RFC 3629): validation, and cutting without splitting a character.
#pragma once

#include <cstddef>
#include <string_view>

namespace wsproxy {

/// True if `text` is well-formed: no overlong form, no surrogate, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// The longest front of `text`, well-formed UTF-8, that has at most `max_bytes` and whole
/// characters.
std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes);

}  // namespace wsproxy
