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

bool take(std::string_view& text, char c) {
  text = http::trim(text);
  if (!text.starts_with(c)) return false;
  text = http::trim(text.substr(1));
  return true;
}

bool take_token(std::string_view& text) {
  const auto* end = std::ranges::find_if_not(text, http::is_token_char);
  if (end == text.begin()) return false;
  text = http::trim({end, text.end()});
  return true;
}

// Section 9.1: once its escapes are undone, a quoted value has to be a token.
bool take_quoted_token(std::string_view& text) {
  if (!text.starts_with('"')) return false;
  std::size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\') ++i;
    if (i == text.size() || !http::is_token_char(text[i])) return false;
  }
  if (i == 1 || i == text.size()) return false;
  text = http::trim(text.substr(i + 1));
  return true;
}

// Section 9.1, the ABNF of Sec-WebSocket-Extensions; empty elements are passed over as in any list.
bool is_extension_list(std::string_view text) {
  while (true) {
    while (take(text, ',')) {
    }
    if (text.empty()) return true;
    if (!take_token(text)) return false;
    while (take(text, ';')) {
      if (!take_token(text)) return false;
      if (take(text, '=') && !take_token(text) && !take_quoted_token(text)) return false;
    }
    if (!text.empty() && !text.starts_with(',')) return false;
  }
}

bool extensions_are_valid(const http::RequestHead& head) {
  return std::ranges::all_of(head.fields, [](const http::Field& field) {
    return !http::equals_ignoring_case(field.name, "sec-websocket-extensions") ||
           is_extension_list(field.value);
  });
}

}  // namespace

bool is_upgrade(const http::RequestHead& head) {
  // HTTP/1.0 has no upgrades: the field is to be ignored there (RFC 9110 section 7.8). Who sends a
  // key all the same, most often by way of a proxy that was told too little, is told why it fails.
  if (head.minor_version == 0) return head.count("sec-websocket-key") > 0;
  return head.lists("upgrade", "websocket");
}

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
  // section 9.1: what does not conform to the ABNF fails the connection, though we take none
  if (!extensions_are_valid(head)) return refuse(400, "Sec-WebSocket-Extensions is malformed");
  const auto offered = head.list("sec-websocket-protocol");
  if (!std::ranges::all_of(offered, http::is_token)) {
    return refuse(400, "Sec-WebSocket-Protocol is malformed");
  }

  Upgrade upgrade;
  upgrade.accept = accept_key(*key);
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
