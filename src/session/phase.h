// The phases of a session's life, in order.
#pragma once

#include <cstdint>

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

constexpr const char* name(Phase phase) {
  switch (phase) {
    case Phase::Sniff: return "sniff";
    case Phase::TlsHandshake: return "tls-handshake";
    case Phase::ReadRequest: return "read-request";
    case Phase::Respond: return "respond";
    case Phase::Authorize: return "authorize";
    case Phase::Upgrade: return "upgrade";
    case Phase::Connect: return "connect";
    case Phase::Relay: return "relay";
    case Phase::Drain: return "drain";
    case Phase::Linger: return "linger";
    case Phase::Closed: return "closed";
  }
  return "?";
}

}  // namespace wsproxy::session
