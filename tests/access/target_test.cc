#include "access/target.h"

#include <gtest/gtest.h>

#include <string>

namespace wsproxy::access {
namespace {

std::string error_of(std::string_view text) {
  const auto target = parse_target(text);
  if (target) return "accepted";
  EXPECT_EQ(target.error().code, Errc::Usage) << text;
  return target.error().text;
}

TEST(ParseTarget, ReadsHostAndPort) {
  const auto target = parse_target("vnc.example.org:5900");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->host, "vnc.example.org");
  EXPECT_EQ(target->port, 5900);
  EXPECT_EQ(target->unix_path, "");
}

TEST(ParseTarget, ReadsABracketedIpv6Address) {
  const auto target = parse_target("[::1]:5901");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->host, "::1");
  EXPECT_EQ(target->port, 5901);
}

TEST(ParseTarget, ReadsAUnixPath) {
  const auto target = parse_target("unix:/run/vnc:1");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->unix_path, "/run/vnc:1");
  EXPECT_EQ(target->host, "");
  EXPECT_EQ(parse_target("unix:relative")->unix_path, "relative");
}

TEST(ParseTarget, IsShownAsItIsWritten) {
  for (const std::string_view text :
       {"localhost:5900", "127.0.0.1:1", "[::1]:5900", "[2001:db8::7]:65535", "unix:/run/vnc"}) {
    EXPECT_EQ(parse_target(text)->to_string(), text);
  }
}

TEST(ParseTarget, SaysWhatIsWrong) {
  EXPECT_EQ(error_of("5900"), "target '5900': expected HOST:PORT");
  EXPECT_EQ(error_of(":5900"), "target ':5900': expected HOST:PORT");
  EXPECT_EQ(error_of(""), "target '': expected HOST:PORT");
  EXPECT_EQ(error_of("localhost"), "target 'localhost': expected HOST:PORT");
  EXPECT_EQ(error_of("localhost:0"), "target 'localhost:0': port 0 cannot be connected to");
  EXPECT_EQ(error_of("localhost:x"),
            "target 'localhost:x': the port is not a number from 0 to 65535");
  EXPECT_EQ(error_of("::1:5900"), "target '::1:5900': write an IPv6 address in brackets");
  EXPECT_EQ(error_of("unix:"), "target 'unix:': a Unix socket's path has 1 to 107 bytes");
  const std::string too_long = "unix:/" + std::string(107, 'x');
  EXPECT_EQ(error_of(too_long),
            "target '" + too_long + "': a Unix socket's path has 1 to 107 bytes");
}

TEST(ParseTarget, OnlyTheLowerCasePrefixMeansAUnixPath) {
  EXPECT_EQ(parse_target("UNIX:5900")->host, "UNIX");
}

}  // namespace
}  // namespace wsproxy::access
