#include "base/endpoint.h"

#include <gtest/gtest.h>
#include <net/if.h>

#include <string>

namespace wsproxy {
namespace {

std::string shown(std::string_view host, std::uint16_t port) {
  const auto address = SocketAddress::numeric(host, port);
  return address ? address->to_string() : "not numeric";
}

struct HostPortCase {
  std::string_view text;
  std::string_view host;
  int port;
};

std::string error_of(std::string_view text, bool host_optional) {
  const auto result = parse_host_port(text, host_optional);
  if (result) return "accepted";
  EXPECT_EQ(result.error().code, Errc::Invalid) << text;
  return result.error().text;
}

TEST(ParseHostPort, ReadsEveryForm) {
  const HostPortCase cases[] = {
      {"localhost:5900", "localhost", 5900},
      {"127.0.0.1:1", "127.0.0.1", 1},
      {"vnc.example.org:65535", "vnc.example.org", 65535},
      {"[::1]:5900", "::1", 5900},
      {"[2001:db8::7]:80", "2001:db8::7", 80},
      {"[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1", 80},
      {"a_b-c:05900", "a_b-c", 5900},
  };
  for (const auto& [text, host, port] : cases) {
    for (const bool optional : {false, true}) {
      const auto result = parse_host_port(text, optional);
      ASSERT_TRUE(result) << result.error().text;
      EXPECT_EQ(result->host, host) << text;
      EXPECT_EQ(result->port, port) << text;
    }
  }
}

TEST(ParseHostPort, ReadsAPortAloneWhereTheHostIsOptional) {
  for (const std::string_view text : {"6080", ":6080"}) {
    const auto result = parse_host_port(text, true);
    ASSERT_TRUE(result) << result.error().text;
    EXPECT_EQ(result->host, "");
    EXPECT_EQ(result->port, 6080);
    EXPECT_EQ(error_of(text, false), "'" + std::string(text) + "': expected HOST:PORT");
  }
}

TEST(ParseHostPort, PortZeroIsForListeningOnly) {
  EXPECT_EQ(parse_host_port("0", true)->port, 0);
  EXPECT_EQ(parse_host_port("127.0.0.1:0", true)->port, 0);
  EXPECT_EQ(error_of("localhost:0", false), "'localhost:0': port 0 cannot be connected to");
}

TEST(ParseHostPort, RefusesAPortThatIsNotANumberUpTo65535) {
  for (const std::string_view port : {"", "x", "65536", "99999999999999999999", "-1", "+1", " 1",
                                      "1 ", "0x10", "59OO", "5900/", "1.5"}) {
    const std::string text = "h:" + std::string(port);
    EXPECT_EQ(error_of(text, false), "'" + text + "': the port is not a number from 0 to 65535");
    EXPECT_EQ(error_of(text, true), "'" + text + "': the port is not a number from 0 to 65535");
  }
  EXPECT_EQ(error_of("", true), "'': the port is not a number from 0 to 65535");
  EXPECT_EQ(error_of("localhost", true), "'localhost': the port is not a number from 0 to 65535");
}

TEST(ParseHostPort, RefusesTextWithoutHostOrPort) {
  EXPECT_EQ(error_of("", false), "'': expected HOST:PORT");
  EXPECT_EQ(error_of("localhost", false), "'localhost': expected HOST:PORT");
}

TEST(ParseHostPort, RefusesAnIpv6AddressWithoutBrackets) {
  for (const std::string_view text : {"::1", "::1:5900", "2001:db8::7:80", "a:b:1", "::"}) {
    EXPECT_EQ(error_of(text, false),
              "'" + std::string(text) + "': write an IPv6 address in brackets");
    EXPECT_EQ(error_of(text, true),
              "'" + std::string(text) + "': write an IPv6 address in brackets");
  }
}

TEST(ParseHostPort, RefusesBrokenBrackets) {
  EXPECT_EQ(error_of("[::1", false), "'[::1': the bracket is not closed");
  EXPECT_EQ(error_of("[", true), "'[': the bracket is not closed");
  for (const std::string_view text : {"[]:80", "[localhost]:80", "[127.0.0.1]:80", "[::1::]:80",
                                      "[::g]:80", "[::1%no-such-interface]:80", "[ ::1]:80"}) {
    EXPECT_EQ(error_of(text, false),
              "'" + std::string(text) + "': no IPv6 address between the brackets");
  }
  for (const std::string_view text : {"[::1]", "[::1]80", "[::1] :80", "[::1]]:80"}) {
    EXPECT_EQ(error_of(text, false),
              "'" + std::string(text) + "': expected ':PORT' after the bracket");
  }
  EXPECT_EQ(error_of("[::1]:", false), "'[::1]:': the port is not a number from 0 to 65535");
}

TEST(ParseHostPort, RefusesHostsWithWhiteSpaceOrControlBytes) {
  for (const std::string_view text :
       {"a b:80", " a:80", "a\t:80", "a\n:80", "a\x7f:80", "\x01:80"}) {
    EXPECT_EQ(error_of(text, false), "'" + std::string(text) + "': not a host name");
  }
  EXPECT_EQ(error_of(std::string_view("a\0b:80", 6), false),
            std::string("'a\0b:80': not a host name", 25));
}

TEST(ParseHostPort, RefusesAHostOfMoreThan255Bytes) {
  const std::string longest(255, 'a');
  EXPECT_EQ(parse_host_port(longest + ":80", false)->host, longest);
  EXPECT_EQ(error_of(longest + "a:80", false),
            "'" + longest + "a:80': a host name has at most 255 bytes");
}

TEST(SocketAddress, ReadsNumericAddresses) {
  EXPECT_EQ(shown("127.0.0.1", 5900), "127.0.0.1:5900");
  EXPECT_EQ(shown("255.255.255.255", 0), "255.255.255.255:0");
  EXPECT_EQ(shown("::1", 5900), "[::1]:5900");
  EXPECT_EQ(shown("2001:DB8:0:0::7", 65535), "[2001:db8::7]:65535");
  EXPECT_EQ(shown("::", 80), "[::]:80");
}

TEST(SocketAddress, ShowsAMappedIpv4AddressAsIpv4) {
  const auto address = SocketAddress::numeric("::ffff:192.0.2.7", 443);
  ASSERT_TRUE(address);
  EXPECT_EQ(address->family(), AF_INET6);
  EXPECT_EQ(address->to_string(), "192.0.2.7:443");
  EXPECT_EQ(address->host(), "192.0.2.7");
}

TEST(SocketAddress, ANameIsNotNumeric) {
  for (const std::string_view text :
       {"localhost", "", "127.0.0.1.", "127.0.0", "1", "0x7f.0.0.1", "127.0.0.256", "[::1]", "::1 ",
        "127.0.0.1:80", "10.0.0.01a", "::1%", "::1%no-such-interface"}) {
    EXPECT_FALSE(SocketAddress::numeric(text, 80)) << text;
  }
}

TEST(SocketAddress, ANumericAddressEndsWithTheText) {
  using std::string_view_literals::operator""sv;
  EXPECT_FALSE(SocketAddress::numeric("127.0.0.1\0x"sv, 80));
  EXPECT_FALSE(SocketAddress::numeric("::1\0x"sv, 80));
}

TEST(SocketAddress, KeepsTheScopeOfALinkLocalAddress) {
  if (::if_nametoindex("lo") == 0) GTEST_SKIP() << "no interface lo here";
  const auto address = SocketAddress::numeric("fe80::1%lo", 5900);
  ASSERT_TRUE(address);
  EXPECT_EQ(reinterpret_cast<const sockaddr_in6*>(address->get())->sin6_scope_id,
            ::if_nametoindex("lo"));
  EXPECT_EQ(address->to_string(), "[fe80::1%lo]:5900");
}

TEST(SocketAddress, PortsAreSetAndRead) {
  for (const std::string_view host : {"127.0.0.1", "::1"}) {
    auto address = *SocketAddress::numeric(host, 80);
    EXPECT_EQ(address.port(), 80);
    address.set_port(443);
    EXPECT_EQ(address.port(), 443);
  }
  auto path = *SocketAddress::unix_path("/run/x");
  path.set_port(80);
  EXPECT_EQ(path.port(), 0);
  EXPECT_EQ(path.to_string(), "unix:/run/x");
}

TEST(SocketAddress, KnowsWhatIsOnThisMachine) {
  EXPECT_TRUE(SocketAddress::numeric("127.0.0.1", 80)->is_loopback());
  EXPECT_TRUE(SocketAddress::numeric("127.255.0.9", 80)->is_loopback());
  EXPECT_TRUE(SocketAddress::numeric("::1", 80)->is_loopback());
  EXPECT_FALSE(SocketAddress::numeric("128.0.0.1", 80)->is_loopback());
  EXPECT_FALSE(SocketAddress::numeric("::2", 80)->is_loopback());
  EXPECT_FALSE(SocketAddress::numeric("::", 80)->is_loopback());
  EXPECT_FALSE(SocketAddress::unix_path("/x")->is_loopback());
}

TEST(SocketAddress, KnowsTheWildcards) {
  EXPECT_TRUE(SocketAddress::numeric("0.0.0.0", 80)->is_wildcard());
  EXPECT_TRUE(SocketAddress::numeric("::", 80)->is_wildcard());
  EXPECT_FALSE(SocketAddress::numeric("127.0.0.1", 80)->is_wildcard());
  EXPECT_FALSE(SocketAddress::numeric("::1", 80)->is_wildcard());
  EXPECT_FALSE(SocketAddress::unix_path("/x")->is_wildcard());
}

TEST(SocketAddress, HasTheLengthThatItsFamilyWants) {
  EXPECT_EQ(SocketAddress::numeric("127.0.0.1", 80)->length(), sizeof(sockaddr_in));
  EXPECT_EQ(SocketAddress::numeric("::1", 80)->length(), sizeof(sockaddr_in6));
}

TEST(SocketAddress, AUnixPathHasOneTo107Bytes) {
  const std::string longest = "/" + std::string(106, 'p');
  const auto address = SocketAddress::unix_path(longest);
  ASSERT_TRUE(address);
  EXPECT_EQ(address->family(), AF_UNIX);
  EXPECT_EQ(address->to_string(), "unix:" + longest);
  EXPECT_EQ(address->host(), "unix:" + longest);

  const auto empty = SocketAddress::unix_path("");
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code, Errc::Invalid);
  EXPECT_EQ(empty.error().text, "a Unix socket's path has 1 to 107 bytes");
  const auto too_long = SocketAddress::unix_path(longest + "p");
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().text, "a Unix socket's path has 1 to 107 bytes");
}

TEST(SocketAddress, IsUnknownByDefaultAndOfABadDescriptor) {
  EXPECT_EQ(SocketAddress().to_string(), "unknown");
  EXPECT_EQ(SocketAddress().family(), AF_UNSPEC);
  EXPECT_EQ(local_address(-1).family(), AF_UNSPEC);
}

}  // namespace
}  // namespace wsproxy
