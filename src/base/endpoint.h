// Where to listen, where to connect, and who called: addresses as people write them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace wsproxy {

/// A socket address of any family that we use (AF_INET, AF_INET6, AF_UNIX).
class SocketAddress {
 public:
  SocketAddress() = default;
  SocketAddress(const sockaddr* address, socklen_t length);

  /// A numeric IPv4 or IPv6 address ("127.0.0.1", "::1", "fe80::1%eth0"); nothing if it is a name.
  static std::optional<SocketAddress> numeric(std::string_view host, std::uint16_t port);
  /// Errors: Invalid when `path` is empty or over 107 bytes.
  static Result<SocketAddress> unix_path(std::string_view path);

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t length() const { return length_; }
  [[nodiscard]] int family() const { return storage_.ss_family; }
  [[nodiscard]] std::uint16_t port() const;  ///< 0 for AF_UNIX
  void set_port(std::uint16_t port);
  [[nodiscard]] bool is_wildcard() const;
  [[nodiscard]] bool is_loopback() const;  ///< 127.0.0.0/8, ::1

  /// "127.0.0.1:5900", "[::1]:5900", "unix:/run/x". IPv4-mapped IPv6 is shown as IPv4.
  [[nodiscard]] std::string to_string() const;
  /// The host alone: "127.0.0.1", "[::1]".
  [[nodiscard]] std::string host() const;

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

/// The address that socket `fd` is bound to; AF_UNSPEC on failure.
SocketAddress local_address(int fd);

struct HostPort {
  std::string host;  ///< without brackets; empty when the text had none ("5900")
  std::uint16_t port = 0;
};

/// Reads "HOST:PORT", "[V6]:PORT" or, when `host_optional`, "PORT" and ":PORT".
///
/// Port: decimal, 0 to 65535, the whole text. A bare IPv6 address without brackets is refused,
/// for nobody can tell its port. Errors: Invalid, with the text that was read.
Result<HostPort> parse_host_port(std::string_view text, bool host_optional);

}  // namespace wsproxy
