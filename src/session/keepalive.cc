#include "session/keepalive.h"

#include <utility>

namespace wsproxy::session {

Keepalive::Verdict Keepalive::tick(const Signs& now) {
  const Signs before = std::exchange(before_, now);
  if (now.received != before.received) {
    ticks_since_ping_ = 0;
    return Verdict::Alive;
  }
  // A slow client that still takes what was sent before the Ping cannot have answered it yet. Where
  // nothing was under way, it is but the Ping that its kernel acknowledged.
  const bool takes = before.unacknowledged > 0 && now.acknowledged != before.acknowledged;
  if (ticks_since_ping_ > 0 && takes) {
    ticks_since_ping_ = 1;  // silences in between do not add up
    return Verdict::Wait;
  }
  switch (ticks_since_ping_++) {
    case 0: return Verdict::Ping;
    case 1: return Verdict::Wait;
    default: return Verdict::Dead;
  }
}

}  // namespace wsproxy::session
