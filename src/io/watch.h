// One descriptor in the event loop.
#pragma once

#include <cstdint>

#include "base/callback.h"
#include "io/linked.h"

namespace wsproxy::io {

class EventLoop;

/// What to wait for. Worked out from state after every step, never switched on and off by hand.
struct Interest {
  bool read = false;
  bool write = false;
  bool hang_up = false;  ///< the peer's FIN, for when nothing may be read
  bool error = false;    ///< a reset or another error alone; the others bring it along

  bool operator==(const Interest&) const = default;
};

/// What happened. `hang_up`: FIN (if asked for), reset or another error; a read or write tells
/// which.
struct Ready {
  bool read = false;
  bool write = false;
  bool hang_up = false;
};

/// Watches a descriptor that somebody else owns and that outlives the watch. A descriptor of -1 is
/// never ready: tests drive such sessions by hand.
///
/// Without any interest the descriptor leaves the loop, for epoll reports errors even to those who
/// did not ask, again and again.
///
/// Out of memory, or over the user's limit of watches, a descriptor cannot enter the loop: that is tried
/// again until it can, while the deadlines of whoever owns it run on.
class Watch : private Linked {
 public:
  using Callback = wsproxy::Callback<void(Ready)>;

  Watch(EventLoop& loop, int fd, Callback callback) : loop_(loop), fd_(fd), callback_(callback) {}
  ~Watch() { set({}); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void set(Interest interest);
  [[nodiscard]] Interest interest() const { return interest_; }

 private:
  friend class EventLoop;
  EventLoop& loop_;
  int fd_;
  Interest interest_;
  std::uint32_t registered_ = 0;  // as epoll knows it
  Callback callback_;
};

}  // namespace wsproxy::io
