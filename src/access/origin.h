// Which pages may open a WebSocket here: cross-site hijacking ends here (RFC 6455 section 10.2).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/authority.h"
#include "base/error.h"

namespace wsproxy::access {

/// What a browser says of the page that asks (RFC 6454 section 7): scheme, host and port.
struct Origin {
  std::string scheme;  ///< lower case
  Authority where;     ///< its port is the scheme's where none was written (http, https), or 0
};

/// Reads "https://desk.example", "http://[::1]:6080". Nothing for "null" and whatever else is no such
/// triple, with a path or user information for example.
std::optional<Origin> parse_origin(std::string_view text);

class OriginRules {
 public:
  /// Origins that may connect besides our own: SCHEME://HOST[:PORT], SCHEME://*.DOMAIN[:PORT], null, or *
  /// for all. Errors: Invalid, with the text.
  static Result<OriginRules> parse(const std::vector<std::string>& listed);

  /// `origin` is the field's value. `host` is the request's Host, nothing when it had none that can be
  /// read; `secure`: it came by TLS.
  ///
  /// A page of our own has the request's host and port. Where Host has no port, that is the port of the
  /// page's scheme: a reverse proxy that does not pass it on serves at that one. The page may be https
  /// where we are spoken to plainly, for the reverse proxy has taken TLS off; not the other way round.
  [[nodiscard]] bool allows(std::string_view origin, const std::optional<Authority>& host,
                            bool secure) const;

 private:
  std::vector<Origin> listed_;  // hosts may be patterns, see name_matches()
  bool all_ = false;
  bool null_ = false;
};

}  // namespace wsproxy::access
