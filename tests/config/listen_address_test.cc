#include "config/listen_address.h"

#include <gtest/gtest.h>

namespace wsproxy::config {
namespace {

using Kind = ListenAddress::Kind;

ListenAddress parsed(std::string_view text) {
  auto address = parse_listen_address(text);
  EXPECT_TRUE(address) << text;
  return address ? *address : ListenAddress{};
}

std::string error_of(std::string_view text) {
  const auto address = parse_listen_address(text);
  if (address) return "accepted";
  EXPECT_EQ(address.error().code, Errc::Invalid);
  return address.error().text;
}

TEST(ListenAddress, IsAPortWithOrWithoutAHost) {
  EXPECT_EQ(parsed("6080").kind, Kind::Tcp);
  EXPECT_EQ(parsed("6080").tcp.host, "");
  EXPECT_EQ(parsed("6080").tcp.port, 6080);
  EXPECT_EQ(parsed(":0").tcp.port, 0);
  EXPECT_EQ(parsed("localhost:80").tcp.host, "localhost");
  EXPECT_EQ(parsed("[::1]:80").tcp.host, "::1");
}

TEST(ListenAddress, IsAUnixSocket) {
  EXPECT_EQ(parsed("unix:/run/w").kind, Kind::Unix);
  EXPECT_EQ(parsed("unix:/run/w").path, "/run/w");
  EXPECT_EQ(parsed("unix:" + std::string(107, 'x')).path.size(), 107U);
  EXPECT_EQ(error_of("unix:"), "'unix:': a Unix socket's path has 1 to 107 bytes");
  EXPECT_NE(error_of("unix:" + std::string(108, 'x')), "accepted");
}

TEST(ListenAddress, IsADescriptorOrAllOfSystemds) {
  EXPECT_EQ(parsed("fd:0").kind, Kind::Descriptor);
  EXPECT_EQ(parsed("fd:0").fd, 0);
  EXPECT_EQ(parsed("fd:1048575").fd, 1048575);
  EXPECT_EQ(parsed("systemd").kind, Kind::Systemd);
  for (const char* text : {"fd:", "fd:-1", "fd:x", "fd:1x", "fd:1048576", "fd: 1"}) {
    EXPECT_EQ(error_of(text),
              "'" + std::string(text) + "': expected fd:N, the number of an open descriptor");
  }
}

TEST(ListenAddress, IsNothingElse) {
  for (const char* text : {"", "x", "65536", "::1:80", "localhost", "Systemd", "localhost:"}) {
    EXPECT_NE(error_of(text), "accepted") << text;
  }
}

}  // namespace
}  // namespace wsproxy::config
