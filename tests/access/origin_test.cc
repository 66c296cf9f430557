#include "access/origin.h"

#include <gtest/gtest.h>

namespace wsproxy::access {
namespace {

bool allows(const std::vector<std::string>& listed, std::string_view origin, std::string_view host,
            bool secure = false) {
  const auto rules = OriginRules::parse(listed);
  EXPECT_TRUE(rules);
  return rules->allows(origin, parse_authority(host), secure);
}
bool is_ours(std::string_view origin, std::string_view host, bool secure = false) {
  return allows({}, origin, host, secure);
}

TEST(Origin, AllowsAPageOfTheHostThatIsAsked) {
  EXPECT_TRUE(is_ours("http://desk.example:6080", "desk.example:6080"));
  EXPECT_TRUE(is_ours("HTTP://Desk.Example:6080", "desk.EXAMPLE.:6080"));
  EXPECT_TRUE(is_ours("http://[::1]:6080", "[0:0::1]:6080"));
  EXPECT_TRUE(is_ours("https://desk.example:6080", "desk.example:6080", true));
}

TEST(Origin, FillsInThePortOfTheScheme) {
  EXPECT_TRUE(is_ours("http://desk.example", "desk.example"));
  EXPECT_TRUE(is_ours("http://desk.example", "desk.example:80"));
  EXPECT_TRUE(is_ours("https://desk.example", "desk.example", true));
  EXPECT_TRUE(is_ours("https://desk.example", "desk.example:443", true));
  EXPECT_FALSE(is_ours("http://desk.example", "desk.example:6080"));
  EXPECT_FALSE(is_ours("https://desk.example", "desk.example:80"));
  EXPECT_FALSE(is_ours("http://desk.example:8080", "desk.example"));
}

TEST(Origin, AReverseProxyMayHaveTakenTlsOffButNotAddedIt) {
  EXPECT_TRUE(is_ours("https://desk.example", "desk.example"));
  EXPECT_TRUE(is_ours("https://desk.example:8443", "desk.example:8443"));
  EXPECT_FALSE(is_ours("http://desk.example:8443", "desk.example:8443", true));
}

TEST(Origin, RefusesAllOthers) {
  const std::string host = "desk.example:6080";
  for (const char* origin : {"http://evil.example:6080",
                             "http://desk.example:6081",
                             "http://desk.example.evil:6080",
                             "http://evil-desk.example:6080",
                             "http://desk.example:6080.evil",
                             "http://desk.example:6080/",
                             "http://desk.example:6080@evil",
                             "http://evil@desk.example:6080",
                             "desk.example:6080",
                             "null",
                             "",
                             "http://",
                             "file://",
                             "ftp://desk.example:6080",
                             "chrome-extension://desk.example:6080",
                             "http://desk.example:6080 http://evil",
                             "*",
                             "://desk.example:6080",
                             "1http://desk.example:6080",
                             "-http://desk.example:6080",
                             "ht~tp://desk.example:6080",
                             "ht tp://desk.example:6080"}) {
    EXPECT_FALSE(is_ours(origin, host)) << origin;
  }
  EXPECT_FALSE(OriginRules().allows("http://a", std::nullopt, false));
}

TEST(Origin, AllowsThoseThatAreListed) {
  const std::vector<std::string> listed = {"https://portal.example", "http://*.lab.example:8080",
                                           "http://[2001:db8::7]", "app://desk", "a1+-.b://desk"};
  EXPECT_TRUE(allows(listed, "https://portal.example:443", "x"));
  EXPECT_TRUE(allows(listed, "http://a.lab.example:8080", "x"));
  EXPECT_TRUE(allows(listed, "http://[2001:DB8:0::7]", "x"));
  EXPECT_TRUE(allows(listed, "app://desk", "x"));
  EXPECT_TRUE(allows(listed, "A1+-.B://Desk", "x"));
  EXPECT_TRUE(allows(listed, "http://x", "x"));
  EXPECT_FALSE(allows(listed, "http://portal.example", "x"));
  EXPECT_FALSE(allows(listed, "https://portal.example:8443", "x"));
  EXPECT_FALSE(allows(listed, "http://lab.example:8080", "x"));
  EXPECT_FALSE(allows(listed, "http://evillab.example:8080", "x"));
  EXPECT_FALSE(allows(listed, "null", "x"));
}

TEST(Origin, NullAndAllHaveToBeSaid) {
  EXPECT_TRUE(allows({"null"}, "null", "x"));
  EXPECT_FALSE(allows({"null"}, "http://evil", "x"));
  EXPECT_TRUE(allows({"*"}, "null", "x"));
  EXPECT_TRUE(allows({"*"}, "http://evil", "x"));
}

TEST(Origin, NamesWhatCannotBeAnOrigin) {
  for (const char* text : {"portal.example", "https://", "https://a/b", "https://*", "*.example",
                           "https://*.10.0.0.7", "https://*..", ""}) {
    const auto rules = OriginRules::parse({text});
    ASSERT_FALSE(rules) << text;
    EXPECT_NE(rules.error().text.find("'" + std::string(text) + "'"), std::string::npos);
  }
}

}  // namespace
}  // namespace wsproxy::access
