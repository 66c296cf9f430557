// Tells a client that is quiet from one that is gone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace wsproxy::session {

/// Asked twice in every heartbeat: a client that was quiet for one tick is pinged, one that gives no
/// sign of life in the two ticks after that is dead. So a Ping goes out after half to one heartbeat
/// of silence, well before a reverse proxy with the same limit hangs up, and a dead client is found
/// within two heartbeats of its last word.
class Keepalive {
 public:
  /// What can be seen of a client.
  struct Signs {
    std::uint64_t received = 0;      ///< bytes from it; a Pong is the least
    std::uint64_t acknowledged = 0;  ///< bytes that its kernel has acknowledged, in all
    std::size_t unacknowledged = 0;  ///< bytes on their way to it
  };
  enum class Verdict : std::uint8_t { Alive, Ping, Wait, Dead };

  static Duration interval(Duration heartbeat) { return heartbeat / 2; }

  Verdict tick(const Signs& now);

 private:
  Signs before_;
  unsigned ticks_since_ping_ = 0;  // 0: no ping is under way
};

}  // namespace wsproxy::session
