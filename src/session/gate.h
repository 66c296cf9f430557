// The gate: what a request is refused for before anything is done for it.
#pragma once

#include <optional>
#include <string>

#include "base/endpoint.h"
#include "http/request.h"
#include "session/settings.h"
#include "ws/upgrade.h"

namespace wsproxy::session {

// NOLINTBEGIN(readability-redundant-member-init): see tls/options.h
struct Refusal {
  int status = 400;
  std::string detail;  ///< for the client; for the log too, where nothing is for the operator
  std::string extra_lines = {};   ///< of the response head, with their CRLF
  std::string for_operator = {};  ///< what to do about it; empty: `detail` says it all
};
// NOLINTEND(readability-redundant-member-init)

/// A parsed request and how it came.
struct Incoming {
  const http::RequestHead& head;
  SocketAddress local;  ///< the address that was connected to
  bool secure = false;  ///< by TLS
};

/// All that holds for any request, in this order: the next three functions and 501 for a method that
/// nobody knows. Nothing: go on.
std::optional<Refusal> check_request(const Incoming& request, const Settings& settings);

/// Is it us that the client means? 421 if not, 400 for a Host that is none. A request without a Host
/// (HTTP/1.0) does not come from a browser.
std::optional<Refusal> check_host(const Incoming& request, const Settings& settings);

/// Plain HTTP where TLS is a must: 308 for a page when there is a configured name to lead to, else 400.
std::optional<Refusal> refuse_plain(const Incoming& request, const Settings& settings);

/// A client over a limit: 429 when it is a limit of its own, else 503, with Retry-After.
Refusal too_many(Denial denial);

/// A request for a page or file: 405 unless it is GET or HEAD, 400 if it has a body.
std::optional<Refusal> check_page_request(const http::RequestHead& head);

/// An upgrade that RFC 6455 section 4.2.1 or check_origin() says no to.
std::optional<Refusal> check_upgrade(const Incoming& request, const ws::Upgrade& upgrade,
                                     const Settings& settings);

/// Is the page that asks one of ours? 403 if not. Who sends no Origin is not a browser.
std::optional<Refusal> check_origin(const Incoming& request, const Settings& settings);

}  // namespace wsproxy::session
