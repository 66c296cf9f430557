#include "base/log_throttle.h"

#include <new>
#include <utility>

namespace wsproxy::log {

bool Throttle::allow() {
  if (!enabled(level_)) return false;
  flush();
  if (written_ == 0) began_ = clock_.now();
  if (written_ < limit_.lines) {
    ++written_;
    return true;
  }
  if (left_out_++ == 0 && on_limited_) on_limited_(began_ + limit_.window - clock_.now());
  return false;
}

void Throttle::flush() {
  if (written_ == 0 || clock_.now() < began_ + limit_.window) return;
  say_left_out();
  written_ = 0;
}

void Throttle::say_left_out() {
  const std::uint64_t count = std::exchange(left_out_, 0);
  if (count == 0) return;
  const auto seconds = std::chrono::round<std::chrono::seconds>(clock_.now() - began_).count();
  try {
    write(level_, what_ + " (" + std::to_string(count) + " more like this in the last " +
                      std::to_string(seconds) + " s)");
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): it is lost
  }
}

}  // namespace wsproxy::log
