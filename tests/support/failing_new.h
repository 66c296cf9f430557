// Lets the n-th allocation with new fail, wherever it is. The test binary's operator new knows of it.
#pragma once

#include <cstddef>

namespace wsproxy::test {

/// While it lives, the allocation number `n` (from 0) throws std::bad_alloc, once.
class FailingNew {
 public:
  explicit FailingNew(std::size_t n);
  ~FailingNew();
  FailingNew(const FailingNew&) = delete;
  FailingNew& operator=(const FailingNew&) = delete;

  /// False: there were fewer allocations.
  [[nodiscard]] static bool has_failed();
};

}  // namespace wsproxy::test
