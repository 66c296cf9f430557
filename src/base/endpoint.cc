#include "base/endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace wsproxy {
namespace {

const sockaddr_in& as_v4(const sockaddr_storage& s) {
  return reinterpret_cast<const sockaddr_in&>(s);
}
const sockaddr_in6& as_v6(const sockaddr_storage& s) {
  return reinterpret_cast<const sockaddr_in6&>(s);
}

std::string v4_text(const void* address) {
  char text[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, address, text, sizeof text);
  return text;
}

std::string v6_text(const sockaddr_in6& address) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
  std::string result = std::string("[") + text;
  char interface[IF_NAMESIZE] = {};
  if (address.sin6_scope_id != 0 && if_indextoname(address.sin6_scope_id, interface) != nullptr) {
    result += std::string("%") + interface;
  }
  return result + "]";
}

}  // namespace

SocketAddress::SocketAddress(const sockaddr* address, socklen_t length)
    : length_(std::min<socklen_t>(length, sizeof storage_)) {
  std::memcpy(&storage_, address, length_);
}

std::optional<SocketAddress> SocketAddress::numeric(std::string_view host, std::uint16_t port) {
  const std::string text(host);
  if (text.find('\0') != std::string::npos) return std::nullopt;  // inet_pton would stop there
  sockaddr_in v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return SocketAddress(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  const auto percent = text.find('%');
  if (inet_pton(AF_INET6, text.substr(0, percent).c_str(), &v6.sin6_addr) != 1) return std::nullopt;
  if (percent != std::string::npos) {
    v6.sin6_scope_id = if_nametoindex(text.c_str() + percent + 1);
    if (v6.sin6_scope_id == 0) return std::nullopt;
  }
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  return SocketAddress(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
}

Result<SocketAddress> SocketAddress::unix_path(std::string_view path) {
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(Errc::Invalid, "a Unix socket's path has 1 to 107 bytes");
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return SocketAddress(reinterpret_cast<const sockaddr*>(&address),
                       static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1));
}

std::uint16_t SocketAddress::port() const {
  if (family() == AF_INET) return ntohs(as_v4(storage_).sin_port);
  if (family() == AF_INET6) return ntohs(as_v6(storage_).sin6_port);
  return 0;
}

void SocketAddress::set_port(std::uint16_t port) {
  if (family() == AF_INET) reinterpret_cast<sockaddr_in&>(storage_).sin_port = htons(port);
  if (family() == AF_INET6) reinterpret_cast<sockaddr_in6&>(storage_).sin6_port = htons(port);
}

bool SocketAddress::is_wildcard() const {
  if (family() == AF_INET) return as_v4(storage_).sin_addr.s_addr == htonl(INADDR_ANY);
  return family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&as_v6(storage_).sin6_addr) != 0;
}

bool SocketAddress::is_loopback() const {
  constexpr std::uint32_t kNet = 127;
  if (family() == AF_INET) return ntohl(as_v4(storage_).sin_addr.s_addr) >> 24 == kNet;
  return family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&as_v6(storage_).sin6_addr) != 0;
}

std::string SocketAddress::host() const {
  if (family() == AF_INET) return v4_text(&as_v4(storage_).sin_addr);
  if (family() == AF_INET6) {
    const sockaddr_in6& v6 = as_v6(storage_);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) != 0) return v4_text(&v6.sin6_addr.s6_addr[12]);
    return v6_text(v6);
  }
  if (family() == AF_UNIX) {
    const auto& address = reinterpret_cast<const sockaddr_un&>(storage_);
    return "unix:" +
           std::string(address.sun_path, strnlen(address.sun_path, sizeof address.sun_path));
  }
  return "unknown";
}

std::string SocketAddress::to_string() const {
  if (family() == AF_INET || family() == AF_INET6) return host() + ":" + std::to_string(port());
  return host();
}

SocketAddress local_address(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return {reinterpret_cast<const sockaddr*>(&storage), length};
}

Result<HostPort> parse_host_port(std::string_view text, bool host_optional) {
  const auto bad = [&](const char* why) {
    return fail(Errc::Invalid, "'" + std::string(text) + "': " + why);
  };
  HostPort result;
  std::string_view port = text;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return bad("the bracket is not closed");
    result.host = text.substr(1, close - 1);
    if (!SocketAddress::numeric(result.host, 0) || result.host.find(':') == std::string::npos) {
      return bad("no IPv6 address between the brackets");
    }
    port = text.substr(close + 1);
    if (!port.starts_with(':')) return bad("expected ':PORT' after the bracket");
    port.remove_prefix(1);
  } else if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
    result.host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (result.host.find(':') != std::string::npos) return bad("write an IPv6 address in brackets");
  }
  if (result.host.empty() && !host_optional) return bad("expected HOST:PORT");
  if (result.host.size() > 255) return bad("a host name has at most 255 bytes");
  for (const char c : result.host) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) return bad("not a host name");
  }
  const char* end = port.data() + port.size();
  const auto [stop, error] = std::from_chars(port.data(), end, result.port);
  if (error != std::errc() || stop != end) return bad("the port is not a number from 0 to 65535");
  if (!host_optional && result.port == 0) return bad("port 0 cannot be connected to");
  return result;
}

}  // namespace wsproxy
