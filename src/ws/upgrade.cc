#include "ws/upgrade.h"

#include <algorithm>

#include "base/base64.h"
#include "base/sha1.h"
#include "http/response.h"

namespace wsproxy::ws {
namespace {

Upgrade refuse(int status, std::string_view reason) {
  Upgrade upgrade;
  upgrade.status = status;
  upgrade.reason = reason;
  return upgrade;
}

}  // namespace

bool is_upgrade(const http::RequestHead& head) { return head.lists("upgrade", "websocket"); }

Upgrade check_upgrade(const http::RequestHead& head) {
  if (head.method != "GET") return refuse(405, "a WebSocket is opened with GET");
  if (head.minor_version == 0) return refuse(400, "a WebSocket needs HTTP/1.1");
  if (http::has_body(head)) return refuse(400, "an upgrade request has no body");
  if (!head.lists("connection", "upgrade")) return refuse(400, "no 'Connection: Upgrade'");
  const auto version = head.field("sec-websocket-version");
  if (!version || *version != "13") return refuse(426, "Sec-WebSocket-Version has to be 13");
  const auto key = head.field("sec-websocket-key");
  const auto nonce = key ? base64_decode(*key) : std::nullopt;
  if (!nonce || nonce->size() != 16) {
    return refuse(400, "Sec-WebSocket-Key has to be 16 bytes in base64");
  }

  Upgrade upgrade;
  upgrade.accept = accept_key(*key);
  const auto offered = head.list("sec-websocket-protocol");
  const auto has = [&](std::string_view name) {
    return std::ranges::find(offered, name) != offered.end();
  };
  if (has("binary")) {
    upgrade.subprotocol = "binary";
  } else if (has("base64")) {
    upgrade.subprotocol = "base64";
    upgrade.payload = Payload::Base64;
  }
  return upgrade;
}

std::string upgrade_response(const Upgrade& upgrade, std::time_t now) {
  http::ResponseHead head(101, now);
  head.add("Upgrade", "websocket").add("Connection", "Upgrade");
  head.add("Sec-WebSocket-Accept", upgrade.accept);
  if (!upgrade.subprotocol.empty()) head.add("Sec-WebSocket-Protocol", upgrade.subprotocol);
  return head.str();
}

std::string accept_key(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  return base64_encode(sha1(as_bytes(text)));
}

}  // namespace wsproxy::ws
