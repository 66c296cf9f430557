#include "session/close_reason.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace wsproxy::session {
namespace {

constexpr std::array kRows = {
    CloseRow{CloseReason::ClientClosed, ws::CloseCode::Normal, "client closed"},
    CloseRow{CloseReason::ClientGone, ws::CloseCode::GoingAway, "client went away"},
    CloseRow{CloseReason::ClientSilent, ws::CloseCode::GoingAway, "no answer to a ping"},
    CloseRow{CloseReason::ControlFlood, ws::CloseCode::PolicyViolation, "too many control frames"},
    CloseRow{CloseReason::NothingRelayed, ws::CloseCode::Normal, "nothing was sent for too long"},
    CloseRow{CloseReason::TimeIsUp, ws::CloseCode::Normal, "the session's time is up"},
    CloseRow{CloseReason::ProtocolError, ws::CloseCode::ProtocolError, "protocol error"},
    CloseRow{CloseReason::TargetClosed, ws::CloseCode::Normal, "the server closed the connection"},
    CloseRow{CloseReason::TargetReset, ws::CloseCode::GoingAway,
             "the connection to the server was lost"},
    CloseRow{CloseReason::TargetUnreachable, ws::CloseCode::InternalError,
             "the server cannot be reached"},
    CloseRow{CloseReason::ShuttingDown, ws::CloseCode::GoingAway, "the proxy is shutting down"},
};

}  // namespace

const CloseRow& row(CloseReason reason) {
  const auto* found = std::ranges::find(kRows, reason, &CloseRow::reason);
  CHECK(found != kRows.end());
  return *found;
}

}  // namespace wsproxy::session
