// Why a session ends: one row for each reason, with the close code that tells the client.
#pragma once

#include <cstdint>
#include <string_view>

#include "ws/frame.h"

namespace wsproxy::session {

enum class CloseReason : std::uint8_t {
  ClientClosed,       ///< its Close frame: echoed
  ClientGone,         ///< its connection ended or broke without a Close frame
  ClientSilent,       ///< it answered no Ping
  ControlFlood,       ///< it sent more Pings and Pongs than --max-control-frames
  NothingRelayed,     ///< for longer than --session-idle-timeout
  TimeIsUp,           ///< --session-max-duration
  ProtocolError,      ///< it broke RFC 6455; the decoder names the code
  TargetClosed,       ///< the target ended its side in good order
  TargetReset,        ///< the target's connection broke
  TargetUnreachable,  ///< look-up or dialling failed
  ShuttingDown,       ///< the daemon stops
};

struct CloseRow {
  CloseReason reason;
  ws::CloseCode code;  ///< of the Close frame that we begin with
  std::string_view
      text;  ///< what the log and, behind the code, the client read; details may follow
};

const CloseRow& row(CloseReason reason);

}  // namespace wsproxy::session
