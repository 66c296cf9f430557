#include "ws/upgrade.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/builders.h"

namespace wsproxy::ws {
namespace {

using test::Request;

constexpr std::string_view kHost = "Host: h";
constexpr std::string_view kUpgrade = "Upgrade: websocket";
constexpr std::string_view kConnection = "Connection: Upgrade";
constexpr std::string_view kVersion = "Sec-WebSocket-Version: 13";
constexpr std::string_view kKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

Upgrade check(std::string_view line, std::initializer_list<std::string_view> fields) {
  const Request request(line, fields);
  EXPECT_EQ(request.status, 0);
  return check_upgrade(request.head);  // its views are of static text
}

Upgrade check(std::initializer_list<std::string_view> fields) {
  return check("GET /websockify HTTP/1.1", fields);
}

void expect_refused(const Upgrade& upgrade, int status, std::string_view reason) {
  EXPECT_EQ(upgrade.status, status);
  EXPECT_EQ(upgrade.reason, reason);
  EXPECT_EQ(upgrade.accept, "");
  EXPECT_EQ(upgrade.subprotocol, "");
}

TEST(Upgrade, AnswersTheKeyOfTheRfc) {
  // RFC 6455 section 1.3
  EXPECT_EQ(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(Upgrade, AcceptsACompleteRequest) {
  const Upgrade upgrade = check({kHost, kUpgrade, kConnection, kVersion, kKey});
  EXPECT_EQ(upgrade.status, 101);
  EXPECT_EQ(upgrade.reason, "");
  EXPECT_EQ(upgrade.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(upgrade.subprotocol, "");
  EXPECT_EQ(upgrade.payload, Payload::Binary);
}

TEST(Upgrade, AcceptsWhatBrowsersAndProxiesSend) {
  const Upgrade upgrade =
      check("GET http://h:6080/websockify?token=x HTTP/1.1",
            {"host: h:6080", "upgrade: WebSocket, h2c", "connection: keep-alive, Upgrade",
             "sec-websocket-version: 13", "sec-websocket-key:\t3yMLSWFdF1MH1YDDPW/aYQ== ",
             "sec-websocket-extensions: permessage-deflate; client_max_window_bits",
             "Content-Length: 0", "origin: http://h"});
  EXPECT_EQ(upgrade.status, 101);
}

TEST(Upgrade, IsAskedForByTheUpgradeField) {
  const auto asks = [](std::string_view field) {
    return is_upgrade(Request("GET / HTTP/1.1", {kHost, field}).head);
  };
  EXPECT_TRUE(asks("Upgrade: websocket"));
  EXPECT_TRUE(asks("upgrade: foo, WEBSOCKET"));
  EXPECT_FALSE(asks("Upgrade: h2c"));
  EXPECT_FALSE(asks("Upgrade: websockets"));
  EXPECT_FALSE(asks("Upgrade: websocket/13"));
  EXPECT_FALSE(asks("Connection: upgrade, websocket"));
  EXPECT_FALSE(asks("X: y"));
}

TEST(Upgrade, InHttp10IsAskedForByTheKey) {
  // RFC 9110 section 7.8: a server has to ignore the Upgrade field of HTTP/1.0
  EXPECT_FALSE(is_upgrade(Request("GET / HTTP/1.0", {kUpgrade, kConnection}).head));
  EXPECT_TRUE(is_upgrade(Request("GET / HTTP/1.0", {kUpgrade, kConnection, kVersion, kKey}).head));
}

TEST(Upgrade, RefusesMalformedExtensionsWith400) {
  // RFC 6455 section 9.1: the connection MUST fail
  for (const std::string_view value :
       {"a b", "a;", "a;=1", "a;b=", "a;b=\"", "a;b=\"c", "a;b=\"\"", "a;b=\"c d\"", "a;b=\"c\\\"",
        "a/b", "=", ";a", "a;b=c=d", "a;b=\"c\"d", "a;b==c", "a,b c", "\"a\"", "a;b=\"\\"}) {
    expect_refused(check({kHost, kUpgrade, kConnection, kVersion, kKey,
                          "Sec-WebSocket-Extensions: " + std::string(value)}),
                   400, "Sec-WebSocket-Extensions is malformed");
  }
  expect_refused(check({kHost, kUpgrade, kConnection, kVersion, kKey, "Sec-WebSocket-Extensions: a",
                        "Sec-WebSocket-Extensions: ?"}),
                 400, "Sec-WebSocket-Extensions is malformed");
}

TEST(Upgrade, DeclinesWellFormedExtensions) {
  for (const std::string_view value :
       {"", "a", " a , b ", "a;b", "a; b = c ;d", "a;b=\"c\"", "a;b=\"c\\d\", e", "a,,b", ",a,",
        "permessage-deflate; client_max_window_bits=15, permessage-deflate"}) {
    EXPECT_EQ(check({kHost, kUpgrade, kConnection, kVersion, kKey,
                     "Sec-WebSocket-Extensions: " + std::string(value)})
                  .status,
              101)
        << value;
  }
}

TEST(Upgrade, RefusesSubprotocolsThatAreNoTokensWith400) {
  // RFC 6455 section 4.2.1: the ABNF of every component counts
  for (const std::string_view value : {"a b", "binary, a/b", "\"binary\"", "a;b"}) {
    expect_refused(check({kHost, kUpgrade, kConnection, kVersion, kKey,
                          "Sec-WebSocket-Protocol: " + std::string(value)}),
                   400, "Sec-WebSocket-Protocol is malformed");
  }
}

TEST(Upgrade, RefusesOtherMethodsWith405) {
  for (const std::string_view method : {"HEAD", "POST", "get", "OPTIONS"}) {
    expect_refused(
        check(std::string(method) + " / HTTP/1.1", {kHost, kUpgrade, kConnection, kVersion, kKey}),
        405, "a WebSocket is opened with GET");
  }
}

TEST(Upgrade, RefusesHttp10With400) {
  expect_refused(check("GET / HTTP/1.0", {kHost, kUpgrade, kConnection, kVersion, kKey}), 400,
                 "a WebSocket needs HTTP/1.1");
}

TEST(Upgrade, RefusesABodyWith400) {
  expect_refused(check({kHost, kUpgrade, kConnection, kVersion, kKey, "Content-Length: 1"}), 400,
                 "an upgrade request has no body");
  expect_refused(
      check({kHost, kUpgrade, kConnection, kVersion, kKey, "Transfer-Encoding: chunked"}), 400,
      "an upgrade request has no body");
}

TEST(Upgrade, RefusesAMissingConnectionTokenWith400) {
  expect_refused(check({kHost, kUpgrade, kVersion, kKey}), 400, "no 'Connection: Upgrade'");
  expect_refused(check({kHost, kUpgrade, "Connection: keep-alive, upgrades", kVersion, kKey}), 400,
                 "no 'Connection: Upgrade'");
}

TEST(Upgrade, RefusesOtherVersionsWith426) {
  constexpr std::string_view kReason = "Sec-WebSocket-Version has to be 13";
  expect_refused(check({kHost, kUpgrade, kConnection, kKey}), 426, kReason);
  for (const std::string_view version : {"8", "7", "", "013", "13, 8", "13.0", "x", "+13"}) {
    expect_refused(check({kHost, kUpgrade, kConnection,
                          "Sec-WebSocket-Version: " + std::string(version), kKey}),
                   426, kReason);
  }
  expect_refused(check({kHost, kUpgrade, kConnection, kVersion, kVersion, kKey}), 426, kReason);
}

TEST(Upgrade, RefusesAKeyThatIsNot16BytesWith400) {
  constexpr std::string_view kReason = "Sec-WebSocket-Key has to be 16 bytes in base64";
  expect_refused(check({kHost, kUpgrade, kConnection, kVersion}), 400, kReason);
  for (const std::string_view key :
       {"", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZWU=", "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25jZQ== x",
        "dGhlIHNhbXBsZSBub25jZ-==", "the sample nonce"}) {
    expect_refused(
        check({kHost, kUpgrade, kConnection, kVersion, "Sec-WebSocket-Key: " + std::string(key)}),
        400, kReason);
  }
  expect_refused(check({kHost, kUpgrade, kConnection, kVersion, kKey, kKey}), 400, kReason);
}

TEST(Upgrade, PicksTheSubprotocol) {
  struct Case {
    std::vector<std::string_view> offers;
    std::string_view picked;
    Payload payload;
  };
  const Case cases[] = {
      {{}, "", Payload::Binary},
      {{""}, "", Payload::Binary},
      {{"binary"}, "binary", Payload::Binary},
      {{"base64"}, "base64", Payload::Base64},
      {{"binary, base64"}, "binary", Payload::Binary},
      {{"base64, binary"}, "binary", Payload::Binary},
      {{"base64", "binary"}, "binary", Payload::Binary},
      {{"chat,base64 ,x"}, "base64", Payload::Base64},
      {{"chat"}, "", Payload::Binary},
      {{"Binary"}, "", Payload::Binary},  // RFC 6455 section 4.1: compared as they are
      {{"BASE64"}, "", Payload::Binary},
      {{"binary2"}, "", Payload::Binary},
  };
  for (const auto& [offers, picked, payload] : cases) {
    std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
    for (const std::string_view field : {kUpgrade, kConnection, kVersion, kKey}) {
      text.append(field).append("\r\n");
    }
    for (const std::string_view offer : offers) {
      text.append("Sec-WebSocket-Protocol: ").append(offer).append("\r\n");
    }
    const Request request(text + "\r\n");
    ASSERT_EQ(request.status, 0);
    const Upgrade upgrade = check_upgrade(request.head);
    EXPECT_EQ(upgrade.status, 101) << text;
    EXPECT_EQ(upgrade.subprotocol, picked) << text;
    EXPECT_EQ(upgrade.payload, payload) << text;
  }
}

TEST(Upgrade, TheSubprotocolOutlivesTheRequest) {
  Upgrade upgrade;
  {
    const Request request("GET / HTTP/1.1", {kHost, kUpgrade, kConnection, kVersion, kKey,
                                             "Sec-WebSocket-Protocol: base64"});
    upgrade = check_upgrade(request.head);
  }
  EXPECT_EQ(upgrade.subprotocol, "base64");
}

TEST(UpgradeResponse, IsA101WithItsFields) {
  constexpr std::time_t kNow = 784111777;
  const std::string plain =
      "HTTP/1.1 101 Switching Protocols\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
  EXPECT_EQ(upgrade_response(check({kHost, kUpgrade, kConnection, kVersion, kKey}), kNow),
            plain + "\r\n");
  EXPECT_EQ(upgrade_response(check({kHost, kUpgrade, kConnection, kVersion, kKey,
                                    "Sec-WebSocket-Protocol: base64"}),
                             kNow),
            plain + "Sec-WebSocket-Protocol: base64\r\n\r\n");
}

}  // namespace
}  // namespace wsproxy::ws
