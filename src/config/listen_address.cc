#include "config/listen_address.h"

#include <charconv>
#include <utility>

namespace wsproxy::config {
namespace {

constexpr int kMaxDescriptor = 1048575;  // the kernel's fs.nr_open, unless somebody has raised it

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return fail(Errc::Invalid, "'" + std::string(text) + "': " + std::string(why));
  };
  ListenAddress address;
  if (text == "systemd") {
    address.kind = ListenAddress::Kind::Systemd;
    return address;
  }
  if (text.starts_with("unix:")) {
    address.kind = ListenAddress::Kind::Unix;
    address.path = text.substr(5);
    if (const auto fits = SocketAddress::unix_path(address.path); !fits)
      return bad(fits.error().text);
    return address;
  }
  if (text.starts_with("fd:")) {
    address.kind = ListenAddress::Kind::Descriptor;
    const std::string_view number = text.substr(3);
    const char* end = number.data() + number.size();
    const auto [stop, error] = std::from_chars(number.data(), end, address.fd);
    if (error != std::errc() || stop != end || address.fd < 0 || address.fd > kMaxDescriptor) {
      return bad("expected fd:N, the number of an open descriptor");
    }
    return address;
  }
  auto tcp = parse_host_port(text, true);
  if (!tcp) return std::unexpected(std::move(tcp.error()));
  address.tcp = *std::move(tcp);
  return address;
}

}  // namespace wsproxy::config
