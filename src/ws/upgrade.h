// The opening handshake, server side (RFC 6455 section 4.2).
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "http/request.h"
#include "ws/frame_decoder.h"

namespace wsproxy::ws {

/// True if a request asks for a WebSocket at all ("websocket" in its Upgrade field; in HTTP/1.0, which
/// knows no upgrade, a Sec-WebSocket-Key); anything else is an ordinary HTTP request.
bool is_upgrade(const http::RequestHead& head);

struct Upgrade {
  int status = 101;              ///< 101, or what to refuse with: 400, 405 or 426
  std::string_view reason;       ///< why it is refused, for the client and the log
  std::string accept;            ///< Sec-WebSocket-Accept
  std::string_view subprotocol;  ///< "binary", "base64" or empty: none was offered that we speak
  Payload payload = Payload::Binary;
};

/// Checks an upgrade request in every detail of section 4.2.1 and picks the subprotocol: "binary"
/// if offered, else "base64" if offered, else none (and frames are binary then). Extensions are
/// declined.
Upgrade check_upgrade(const http::RequestHead& head);

/// The 101 response for an accepted upgrade.
std::string upgrade_response(const Upgrade& upgrade, std::time_t now);

/// Sec-WebSocket-Accept for a Sec-WebSocket-Key (section 4.2.2, step 5.4).
std::string accept_key(std::string_view key);

}  // namespace wsproxy::ws
