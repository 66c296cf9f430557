// CHECK(x) guards what only a bug can break, in release builds too.
#pragma once

namespace wsproxy {

[[noreturn]] void check_failed(const char* what, const char* file, int line);

}  // namespace wsproxy

#define CHECK(condition)                                       \
  do {                                                         \
    if (!(condition)) [[unlikely]]                             \
      ::wsproxy::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
