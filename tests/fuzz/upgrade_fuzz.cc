// ws/upgrade: whatever the request, the answer is one of four, and no byte of the request but the
// key's hash gets into it.
#include "ws/upgrade.h"

#include <string>

#include "base/base64.h"
#include "base/check.h"
#include "fuzz/fuzz_input.h"

using namespace wsproxy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes text = fuzz::Input(data, size).rest();
  http::HeadScanner scanner;
  if (scanner.scan(text) != Parse::Done) return 0;
  http::RequestHead head;
  if (http::parse_request_head(text.first(scanner.head_bytes()), {}, head) != 0) return 0;

  (void)ws::is_upgrade(head);
  const ws::Upgrade upgrade = ws::check_upgrade(head);
  if (upgrade.status != 101) {
    CHECK(upgrade.status == 400 || upgrade.status == 405 || upgrade.status == 426);
    CHECK(!upgrade.reason.empty() && upgrade.accept.empty() && upgrade.subprotocol.empty());
    return 0;
  }
  CHECK(upgrade.reason.empty());
  CHECK(head.method == "GET" && head.minor_version == 1 && !http::has_body(head));
  CHECK(head.field("sec-websocket-version") == "13");
  const auto key = head.field("sec-websocket-key");
  CHECK(key && key->size() == 24 && base64_decode(*key)->size() == 16);
  CHECK(upgrade.accept == ws::accept_key(*key));
  CHECK(base64_decode(upgrade.accept)->size() == 20);
  CHECK(upgrade.subprotocol.empty() || upgrade.subprotocol == "binary" ||
        upgrade.subprotocol == "base64");
  CHECK(upgrade.subprotocol.empty() || head.lists("sec-websocket-protocol", upgrade.subprotocol));
  CHECK((upgrade.payload == ws::Payload::Base64) == (upgrade.subprotocol == "base64"));

  std::string wanted =
      "HTTP/1.1 101 Switching Protocols\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
      upgrade.accept + "\r\n";
  if (!upgrade.subprotocol.empty()) {
    wanted += "Sec-WebSocket-Protocol: " + std::string(upgrade.subprotocol) + "\r\n";
  }
  CHECK(ws::upgrade_response(upgrade, 0) == wanted + "\r\n");
  return 0;
}
