// Streams of known bytes: what is wrong, lost, doubled or somebody else's is noticed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace wsproxy::bench {

/// Random numbers for masks, sizes and bytes (splitmix64); not for secrets.
std::uint64_t random_number();

/// One endless stream and the place in it. Both ends of a connection make it from the same two numbers.
class Pattern {
 public:
  static constexpr std::size_t kMaxPiece = 65536;

  Pattern() = default;
  Pattern(std::uint32_t connection, std::uint32_t salt);

  /// The next bytes, as many as asked for and at most kMaxPiece.
  [[nodiscard]] Bytes next(std::size_t size) const;
  void skip(std::size_t size);

  /// Goes on by `in`; false if it is not what comes next.
  bool matches(Bytes in);

 private:
  std::size_t place_ = 0;
};

}  // namespace wsproxy::bench
