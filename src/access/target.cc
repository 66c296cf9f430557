#include "access/target.h"

#include "base/endpoint.h"

namespace wsproxy::access {

Result<io::Endpoint> parse_target(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  io::Endpoint endpoint;
  if (text.starts_with(kUnix)) {
    endpoint.unix_path = text.substr(kUnix.size());
    if (const auto address = SocketAddress::unix_path(endpoint.unix_path); !address) {
      return fail(Errc::Usage, "target '" + std::string(text) + "': " + address.error().text);
    }
    return endpoint;
  }
  auto host_port = parse_host_port(text, false);
  if (!host_port) return fail(Errc::Usage, "target " + host_port.error().text);
  endpoint.host = std::move(host_port->host);
  endpoint.port = host_port->port;
  return endpoint;
}

}  // namespace wsproxy::access
