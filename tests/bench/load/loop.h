// The load generator's own reactor, apart from the one it measures.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>

#include "base/unique_fd.h"

namespace wsproxy::bench {

std::uint64_t now_ns();
double now();  ///< seconds

/// Sockets that are urgent are looked at between any two events of the others, so that what they measure is the
/// proxy's latency and not this program's.
class Loop {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void ready(std::uint32_t events) = 0;
  };

  Loop();

  void add(int fd, Handler& handler, std::uint32_t events);
  void change(int fd, Handler& handler, std::uint32_t events, bool urgent);
  void make_urgent(int fd, Handler& handler, std::uint32_t events);

  /// Called as often as urgent sockets are looked at.
  void set_between(std::function<void()> between) { between_ = std::move(between); }

  /// Waits at most `wait_ms` for events and handles them.
  void turn(int wait_ms);

  /// Turns until `done` (then true) or until that many seconds have passed.
  template <typename Done>
  bool run_until(double seconds, Done done, int wait_ms = 5) {
    for (const double end = now() + seconds; !done();) {
      if (now() > end) return false;
      turn(wait_ms);
    }
    return true;
  }
  /// Turns for that long.
  void run_for(double seconds, int wait_ms = 5) {
    run_until(seconds, [] { return false; }, wait_ms);
  }

 private:
  void handle_urgent();

  UniqueFd epoll_;
  UniqueFd urgent_;
  bool has_urgent_ = false;
  std::function<void()> between_;
};

}  // namespace wsproxy::bench
