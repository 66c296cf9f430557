#include "support/failing_new.h"

#include <cstdint>
#include <cstdlib>
#include <new>

namespace wsproxy::test {
namespace {

constexpr std::size_t kNever = SIZE_MAX;

thread_local std::size_t left = kNever;  // allocations until the one that fails
thread_local bool failed = false;

void* allocate(std::size_t size) {
  if (left == 0) {
    left = kNever;
    failed = true;
    throw std::bad_alloc();
  }
  if (left != kNever) --left;
  if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
  throw std::bad_alloc();
}

}  // namespace

FailingNew::FailingNew(std::size_t n) {
  failed = false;
  left = n;
}
FailingNew::~FailingNew() { left = kNever; }
bool FailingNew::has_failed() { return failed; }

}  // namespace wsproxy::test

// For all of the test binary; what is over-aligned keeps the library's.
void* operator new(std::size_t size) { return wsproxy::test::allocate(size); }
void* operator new[](std::size_t size) { return wsproxy::test::allocate(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
