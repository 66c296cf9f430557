// The bytes that a fuzzer gives, taken apart: a few choices first, then the text to parse.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace wsproxy::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(std::as_bytes(std::span(data, size))) {}

  /// The next byte, or 0 when there is none.
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = std::to_integer<std::uint8_t>(rest_.front());
    rest_ = rest_.subspan(1);
    return value;
  }

  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | byte();
    return value;
  }

  /// The next `size` bytes, or as many as there are.
  std::string_view take(std::size_t size) {
    const Bytes front = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(front.size());
    return as_text(front);
  }

  /// What was not taken yet.
  [[nodiscard]] Bytes rest() const { return rest_; }
  [[nodiscard]] std::string_view text() const { return as_text(rest_); }

 private:
  Bytes rest_;
};

/// Where to cut `size` bytes, in order: a few places for each `seed`, every byte for 0.
inline std::vector<std::size_t> cuts(std::uint32_t seed, std::size_t size) {
  std::vector<std::size_t> places;
  if (seed == 0) {
    for (std::size_t i = 1; i < size; ++i) places.push_back(i);
    return places;
  }
  for (unsigned i = 0; i < 1 + seed % 7 && size > 0; ++i) {
    seed = seed * 1664525U + 1013904223U;
    places.push_back((seed >> 8) % size);
  }
  std::ranges::sort(places);
  return places;
}

/// The pieces of `text` between separators.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (true) {
    const auto at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

}  // namespace wsproxy::fuzz
