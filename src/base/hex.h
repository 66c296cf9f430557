// Bytes in hexadecimal digits, for people.
#pragma once

#include <string>
#include <string_view>

namespace wsproxy {

/// Appends the two digits of `byte`, in lower case.
inline void append_hex(std::string& out, unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += {kDigits[byte >> 4U], kDigits[byte & 0xfU]};
}

/// Appends \xHH, our spelling of a byte that cannot be shown as it is.
inline void append_hex_escape(std::string& out, char c) {
  out += "\\x";
  append_hex(out, static_cast<unsigned char>(c));
}

/// What a digit stands for, in lower or upper case; -1 if it is none.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace wsproxy
