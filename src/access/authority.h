// Hosts and ports as browsers write them into Host and Origin, compared as what they mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wsproxy::access {

/// "desk.example:6080", "[::1]:6080", "10.0.0.7".
struct Authority {
  /// A name in lower case without the dot at its end, or an address as inet_ntop writes it: an IPv6
  /// address without brackets, an IPv4-mapped one as IPv4. Never empty.
  std::string host;
  std::uint16_t port = 0;   ///< 0: none was given
  bool is_address = false;  ///< `host` is numeric

  bool operator==(const Authority&) const = default;
};

/// Reads HOST, HOST:PORT, [IPV6] or [IPV6]:PORT (RFC 3986 section 3.2 without user information). Names
/// have the characters that names of machines have, '_' included; an address in brackets has no zone.
/// Port: decimal, 1 to 65535; "host:" is a host without a port. Nothing if it is anything else.
std::optional<Authority> parse_authority(std::string_view text);

/// A name, or "*." and a name, which stands for all names that end with it but not for itself.
bool name_matches(std::string_view pattern, std::string_view host);

}  // namespace wsproxy::access
