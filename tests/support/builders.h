// Bytes, request heads and client frames as a test wants them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "http/request.h"
#include "ws/frame.h"

namespace wsproxy::test {

inline std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  out.reserve(values.size());
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

inline std::vector<std::byte> bytes_of(std::string_view text) {
  const Bytes view = as_bytes(text);
  return {view.begin(), view.end()};
}

inline std::string text_of(Bytes in) { return std::string(as_text(in)); }

/// `size` bytes without a short period, so that a byte in the wrong place shows.
inline std::vector<std::byte> pattern(std::size_t size, std::uint32_t seed = 1) {
  std::vector<std::byte> out(size);
  std::uint32_t state = seed * 2654435761U + 1;
  for (std::byte& b : out) {
    state = state * 1664525U + 1013904223U;
    b = static_cast<std::byte>(state >> 24);
  }
  return out;
}

inline void append(std::vector<std::byte>& to, Bytes more) {
  to.insert(to.end(), more.begin(), more.end());
}

using Mask = std::array<std::byte, 4>;
constexpr Mask kMask = {std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}};

/// A client's frame in its shortest form.
inline std::vector<std::byte> masked_frame(ws::Opcode opcode, bool fin, Bytes payload,
                                           const Mask& mask = kMask) {
  std::vector<std::byte> out;
  out.push_back(static_cast<std::byte>((fin ? 0x80U : 0U) | static_cast<unsigned>(opcode)));
  const std::size_t size = payload.size();
  const std::size_t length_bytes = size <= 125 ? 0 : size <= 0xffff ? 2 : 8;
  const std::size_t second = length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127;
  out.push_back(static_cast<std::byte>(0x80U | second));
  std::array<std::byte, 8> number{};
  store_big_endian(size, MutableBytes(number).first(length_bytes));
  append(out, Bytes(number).first(length_bytes));
  append(out, mask);
  for (std::size_t i = 0; i < size; ++i) out.push_back(payload[i] ^ mask[i % 4]);
  return out;
}

inline std::vector<std::byte> masked_frame(ws::Opcode opcode, bool fin, std::string_view payload,
                                           const Mask& mask = kMask) {
  return masked_frame(opcode, fin, as_bytes(payload), mask);
}

/// "GET /x HTTP/1.1" and its fields, with their line ends and the empty line.
inline std::string request_head(std::string_view line,
                                std::initializer_list<std::string_view> fields) {
  std::string text(line);
  text += "\r\n";
  for (const std::string_view field : fields) text.append(field).append("\r\n");
  return text + "\r\n";
}

/// A request and the text its parsed head points into.
struct Request {
  Request(std::string_view line, std::initializer_list<std::string_view> fields)
      : Request(request_head(line, fields)) {}
  explicit Request(std::string_view whole)
      : text(whole), status(http::parse_request_head(as_bytes(text), {}, head)) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  std::string text;
  http::RequestHead head;
  int status;  ///< what parse_request_head said: 0 when `head` counts
};

}  // namespace wsproxy::test
