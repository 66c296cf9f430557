#include "session/gate.h"

#include <algorithm>
#include <string_view>

#include "access/authority.h"
#include "session/session_log.h"

namespace wsproxy::session {

std::optional<Refusal> check_request(const Incoming& request, const Settings& settings) {
  if (auto refusal = check_host(request, settings)) return refusal;
  if (auto refusal = refuse_plain(request, settings)) return refusal;
  if (!http::is_known_method(request.head.method)) return Refusal{501, "unknown method"};
  return std::nullopt;
}

std::optional<Refusal> check_host(const Incoming& request, const Settings& settings) {
  const std::string_view host = request.head.host;
  if (host.empty()) return std::nullopt;
  const auto authority = access::parse_authority(host);
  if (!authority) return Refusal{400, "bad Host"};
  if (settings.names.includes(*authority, request.local) ||
      (settings.tls && settings.tls->is_certified_for(authority->host))) {
    return std::nullopt;
  }
  return Refusal{
      .status = 421,
      .detail = "this server does not know itself by the name in Host; see --server-name",
      .for_operator = "Host is " + for_log(host) + ": to serve it, say --server-name " +
                      for_log(authority->host)};
}

// A browser is led on, but only to a name that was configured: whoever answers with what stands in Host
// leads anybody anywhere. The port is the one it came to.
std::optional<Refusal> refuse_plain(const Incoming& request, const Settings& settings) {
  if (request.secure || !settings.config.ssl_only) return std::nullopt;
  const http::RequestHead& head = request.head;
  const auto& names = settings.config.server_name;
  const auto name =
      std::ranges::find_if(names, [](const std::string& text) { return !text.contains('*'); });
  const bool page = (head.method == "GET" || head.method == "HEAD") && !ws::is_upgrade(head);
  if (!page || name == names.end() || !head.target.starts_with('/')) {
    return Refusal{400, "this port speaks TLS only: use https://, or wss:// for a WebSocket"};
  }
  const bool bare_v6 = name->contains(':') && !name->starts_with('[');
  std::string url = "https://" + (bare_v6 ? "[" + *name + "]" : *name);
  if (const auto port = request.local.port(); port != 0 && port != 443) {
    url += ":" + std::to_string(port);
  }
  url += head.target;
  return Refusal{308, "this port speaks TLS only", "Location: " + url + "\r\n"};
}

Refusal too_many(Denial denial) {
  int status = 503;
  const char* retry = "Retry-After: 10\r\n";
  switch (denial) {
    case Denial::TooFast: retry = "Retry-After: 1\r\n"; [[fallthrough]];
    case Denial::PendingOfClient:
    case Denial::SessionsOfClient: status = 429; break;
    case Denial::Pending:
    case Denial::SessionsOfTarget:
    case Denial::Sessions: break;
  }
  return {status, describe(denial), retry};
}

std::optional<Refusal> check_page_request(const http::RequestHead& head) {
  if (head.method != "GET" && head.method != "HEAD") {
    return Refusal{405, "only pages are served here", "Allow: GET, HEAD\r\n"};
  }
  if (http::has_body(head)) return Refusal{400, "a request for a page has no body"};
  return std::nullopt;
}

std::optional<Refusal> check_upgrade(const Incoming& request, const ws::Upgrade& upgrade,
                                     const Settings& settings) {
  Refusal refusal{upgrade.status, std::string(upgrade.reason)};
  switch (upgrade.status) {
    case 101: return check_origin(request, settings);
    case 405: refusal.extra_lines = "Allow: GET, HEAD\r\n"; break;
    case 426:
      refusal.extra_lines =
          "Sec-WebSocket-Version: 13\r\n"
          "Upgrade: websocket\r\nConnection: Upgrade\r\n";
      break;
    default: break;
  }
  return refusal;
}

std::optional<Refusal> check_origin(const Incoming& request, const Settings& settings) {
  const http::RequestHead& head = request.head;
  const auto count = head.count("origin");
  if (count == 0) return std::nullopt;
  const auto origin = head.field("origin");
  if (!origin) return Refusal{400, "more than one Origin"};
  const auto ours = access::parse_authority(head.host);
  if (settings.origins.allows(*origin, ours, request.secure)) return std::nullopt;
  return Refusal{.status = 403,
                 .detail = "pages of this origin may not connect; see --origin",
                 .for_operator = "a page of " + for_log(*origin) + " asks for " +
                                 for_log(head.host) + ": to let it, say --origin " +
                                 for_log(*origin)};
}

}  // namespace wsproxy::session
