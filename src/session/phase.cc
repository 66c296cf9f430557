#include "session/phase.h"

#include "session/keepalive.h"

namespace wsproxy::session {
namespace {

constexpr auto kLingerTime = std::chrono::seconds(1);
// A dial keeps its own time, and has a second more for its TLS: this is a net.
constexpr auto kConnectSlack = std::chrono::seconds(2);

}  // namespace

const char* name(Phase phase) {
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

std::optional<Duration> deadline_of(Phase phase, const config::Config& config) {
  switch (phase) {
    case Phase::Sniff:
    case Phase::TlsHandshake:
    case Phase::ReadRequest:
    case Phase::Authorize:
    case Phase::Upgrade: return config.handshake_timeout;
    case Phase::Respond: return config.send_timeout;
    case Phase::Connect: return config.lookup_timeout + config.connect_timeout + kConnectSlack;
    case Phase::Drain: return config.drain_timeout;
    case Phase::Linger: return kLingerTime;
    case Phase::Relay:  // a quiet desktop is not an error: the time is up for the next look at it
      if (config.heartbeat > Duration::zero()) return Keepalive::interval(config.heartbeat);
      break;
    case Phase::Closed: break;
  }
  return std::nullopt;
}

}  // namespace wsproxy::session
