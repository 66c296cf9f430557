#include "session/gate.h"

#include <gtest/gtest.h>

#include <string>

#include "support/builders.h"

namespace wsproxy::session {
namespace {

using test::Request;

class GateTest : public testing::Test {
 protected:
  [[nodiscard]] Incoming incoming(const Request& request) const {
    EXPECT_EQ(request.status, 0) << request.text;
    return {request.head, *SocketAddress::numeric(local_.host, local_.port), secure_};
  }
  // The status that the request is refused with; 0: it is not.
  [[nodiscard]] int status(std::string_view line,
                           std::initializer_list<std::string_view> fields) const {
    const Request request(line, fields);
    const auto refusal = check_request(incoming(request), settings_);
    return refusal ? refusal->status : 0;
  }
  [[nodiscard]] Refusal refusal_of(const Request& request) const {
    const auto refusal = check_request(incoming(request), settings_);
    EXPECT_TRUE(refusal) << request.text;
    return refusal.value_or(Refusal{});
  }
  [[nodiscard]] std::optional<Refusal> upgrade(std::initializer_list<std::string_view> more) const {
    std::string text = "GET / HTTP/1.1\r\nHost: desk.example\r\n";
    for (const auto field : more) text.append(field).append("\r\n");
    const Request request(text + "\r\n");
    return check_upgrade(incoming(request), ws::check_upgrade(request.head), settings_);
  }

  HostPort local_ = {"192.0.2.7", 6080};
  bool secure_ = false;
  Settings settings_;
};

TEST_F(GateTest, LetsInWhoMeansUs) {
  EXPECT_EQ(status("GET / HTTP/1.1", {"Host: localhost:6080"}), 0);
  EXPECT_EQ(status("GET / HTTP/1.1", {"Host: 192.0.2.7"}), 0);
  EXPECT_EQ(status("GET / HTTP/1.0", {}), 0) << "no browser";
}

TEST_F(GateTest, RefusesAForeignNameAndTellsTheOperatorHowToServeIt) {
  const Request request("GET / HTTP/1.1", {"Host: Evil.example:6080"});
  const Refusal refusal = refusal_of(request);
  EXPECT_EQ(refusal.status, 421);
  EXPECT_EQ(refusal.for_operator,
            "Host is Evil.example:6080: to serve it, say --server-name evil.example");
  EXPECT_EQ(refusal.detail.find("vil"), std::string::npos) << "nothing of the request is echoed";
  settings_.names = *access::HostNames::make({"evil.example"}, {});
  EXPECT_FALSE(check_host(incoming(request), settings_));
}

TEST_F(GateTest, AHostThatIsNoneIsABadRequest) {
  EXPECT_EQ(status("GET / HTTP/1.1", {"Host: a:0"}), 400);
}

TEST_F(GateTest, AMethodThatNobodyKnowsIsNotImplemented) {
  EXPECT_EQ(status("BREW / HTTP/1.1", {"Host: localhost"}), 501);
  EXPECT_EQ(status("BREW / HTTP/1.1", {"Host: evil.example"}), 421) << "whom it means goes first";
}

TEST_F(GateTest, PlainHttpIsLedToTheConfiguredNameAndNoOther) {
  settings_.config.ssl_only = true;
  settings_.config.server_name = {"*.example.org", "desk.example"};
  const Request page("GET /vnc.html?x=1 HTTP/1.1", {"Host: localhost"});
  EXPECT_EQ(refusal_of(page).status, 308);
  EXPECT_EQ(refusal_of(page).extra_lines, "Location: https://desk.example:6080/vnc.html?x=1\r\n");
  local_.port = 443;
  EXPECT_EQ(refusal_of(page).extra_lines, "Location: https://desk.example/vnc.html?x=1\r\n");
  settings_.config.server_name = {"2001:db8::7"};
  EXPECT_EQ(refusal_of(page).extra_lines, "Location: https://[2001:db8::7]/vnc.html?x=1\r\n");
  settings_.config.server_name = {"*.example.org"};
  EXPECT_EQ(refusal_of(page).status, 400) << "there is no name to lead to";
}

TEST_F(GateTest, OnlyPagesAreLedOn) {
  settings_.config.ssl_only = true;
  settings_.config.server_name = {"desk.example"};
  EXPECT_EQ(status("HEAD / HTTP/1.1", {"Host: localhost"}), 308);
  EXPECT_EQ(status("POST / HTTP/1.1", {"Host: localhost"}), 400);
  EXPECT_EQ(status("GET http://localhost/ HTTP/1.1", {"Host: localhost"}), 400);
  EXPECT_EQ(status("GET / HTTP/1.1", {"Host: localhost", "Upgrade: websocket"}), 400);
  secure_ = true;
  EXPECT_EQ(status("GET / HTTP/1.1", {"Host: localhost"}), 0);
}

TEST_F(GateTest, WhoIsOverALimitMayComeAgain) {
  EXPECT_EQ(too_many(Denial::TooFast).status, 429);
  EXPECT_EQ(too_many(Denial::PendingOfClient).status, 429);
  EXPECT_EQ(too_many(Denial::SessionsOfClient).status, 429);
  EXPECT_EQ(too_many(Denial::Pending).status, 503);
  EXPECT_EQ(too_many(Denial::SessionsOfTarget).status, 503);
  EXPECT_EQ(too_many(Denial::Sessions).status, 503);
  EXPECT_EQ(too_many(Denial::TooFast).extra_lines, "Retry-After: 1\r\n");
  EXPECT_EQ(too_many(Denial::Pending).extra_lines, "Retry-After: 10\r\n");
}

TEST_F(GateTest, APageIsAskedForWithoutABody) {
  const auto of = [](std::string_view line, std::initializer_list<std::string_view> fields) {
    const auto refusal = check_page_request(Request(line, fields).head);
    return refusal ? std::to_string(refusal->status) + " " + refusal->extra_lines : "";
  };
  EXPECT_EQ(of("GET / HTTP/1.1", {"Host: a"}), "");
  EXPECT_EQ(of("HEAD / HTTP/1.1", {"Host: a", "Content-Length: 0"}), "");
  EXPECT_EQ(of("PUT / HTTP/1.1", {"Host: a"}), "405 Allow: GET, HEAD\r\n");
  EXPECT_EQ(of("GET / HTTP/1.1", {"Host: a", "Content-Length: 1"}), "400 ");
}

TEST_F(GateTest, AnUpgradeOfAnotherPageIsForbidden) {
  constexpr std::string_view kFields =
      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
  EXPECT_FALSE(upgrade({kFields})) << "no browser";
  EXPECT_FALSE(upgrade({kFields, "Origin: http://desk.example"}));
  const auto refusal = upgrade({kFields, "Origin: http://evil.example"});
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 403);
  EXPECT_EQ(refusal->for_operator,
            "a page of http://evil.example asks for desk.example: to let it, say --origin "
            "http://evil.example");
  settings_.origins = *access::OriginRules::parse({"http://evil.example"});
  EXPECT_FALSE(upgrade({kFields, "Origin: http://evil.example"}));
  const auto two = upgrade({kFields, "Origin: http://desk.example", "Origin: http://evil.example"});
  EXPECT_EQ(two ? two->status : 0, 400);
}

TEST_F(GateTest, ABrokenUpgradeSaysWhatIsWanted) {
  const auto refusal =
      upgrade({"Upgrade: websocket", "Connection: Upgrade",
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 8"});
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 426);
  EXPECT_TRUE(refusal->extra_lines.starts_with("Sec-WebSocket-Version: 13\r\n"));
}

}  // namespace
}  // namespace wsproxy::session
