// The phases of a session's life, in order.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "config/config.h"

namespace wsproxy::session {

enum class Phase : std::uint8_t {
  Sniff,  ///< waiting for the first byte: TLS or HTTP?
  TlsHandshake,
  ReadRequest,  ///< also between two requests of a kept connection
  Respond,      ///< sending a page, a file or a refusal
  Authorize,    ///< an upgrade: who may, and where to
  Upgrade,      ///< sends the 101: from here on the client sees close codes, not statuses
  Connect,      ///< resolving and dialling the target; frames are taken already
  Relay,
  Drain,   ///< one side has closed: what is under way reaches the other
  Linger,  ///< all is sent: wait for the client's FIN, lest a reset eats what we sent last
  Closed,
};

/// "read-request", for the log.
const char* name(Phase phase);

/// How long a session may be in a phase; nothing: as long as it likes. From Sniff to Upgrade one
/// deadline runs on, from the client's first moment: it counts for the handshake as a whole.
std::optional<Duration> deadline_of(Phase phase, const config::Config& config);

}  // namespace wsproxy::session
