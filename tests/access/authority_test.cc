#include "access/authority.h"

#include <gtest/gtest.h>

#include <ostream>

namespace wsproxy::access {

static void PrintTo(const Authority& a, std::ostream* out) {
  *out << a.host << " port " << a.port << (a.is_address ? " address" : "");
}

namespace {

TEST(Authority, ReadsWhatBrowsersWrite) {
  EXPECT_EQ(parse_authority("Desk.Example"), (Authority{"desk.example", 0, false}));
  EXPECT_EQ(parse_authority("desk.example:6080"), (Authority{"desk.example", 6080, false}));
  EXPECT_EQ(parse_authority("10.0.0.7:80"), (Authority{"10.0.0.7", 80, true}));
  EXPECT_EQ(parse_authority("[::1]:6080"), (Authority{"::1", 6080, true}));
  EXPECT_EQ(parse_authority("[2001:DB8:0::1]"), (Authority{"2001:db8::1", 0, true}));
  EXPECT_EQ(parse_authority("[::ffff:10.0.0.7]"), (Authority{"10.0.0.7", 0, true}));
  EXPECT_EQ(parse_authority("desk_1.lab-2"), (Authority{"desk_1.lab-2", 0, false}));
}

TEST(Authority, ADotAtTheEndAndAnEmptyPortSayNothing) {
  EXPECT_EQ(parse_authority("desk.example."), (Authority{"desk.example", 0, false}));
  EXPECT_EQ(parse_authority("desk.example.:"), (Authority{"desk.example", 0, false}));
}

TEST(Authority, RefusesWhatCouldMeanTwoThings) {
  for (const char* text :
       {"",         ":80",     ".",          "..",           "a..b",  ".a",      "a:b:80", "::1",
        "[::1",     "[::1]80", "[10.0.0.7]", "[fe80::1%lo]", "a:0",   "a:65536", "a:-1",   "a:+1",
        "a: 1",     "a:80 ",   "user@a",     "a/b",          "a?b",   "a%2eb",   "a b",    "a,b",
        "\xc3\xa4", "[]",      "[desk]",     "[::g]",        "[1:2]", "a..",     "a{b",    "~"}) {
    EXPECT_FALSE(parse_authority(text)) << text;
  }
  EXPECT_FALSE(parse_authority(std::string(256, 'a')));
  EXPECT_FALSE(parse_authority(std::string_view("a\0b", 3)));
}

TEST(NameMatches, AStarStandsForOneOrMoreLabels) {
  EXPECT_TRUE(name_matches("a.example", "a.example"));
  EXPECT_TRUE(name_matches("*.example", "a.example"));
  EXPECT_TRUE(name_matches("*.example", "b.a.example"));
  EXPECT_FALSE(name_matches("*.example", "example"));
  EXPECT_FALSE(name_matches("*.example", ".example"));
  EXPECT_FALSE(name_matches("*.example", "evilexample"));
  EXPECT_FALSE(name_matches("a.example", "a.example.evil"));
}

}  // namespace
}  // namespace wsproxy::access
