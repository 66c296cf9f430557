// Which names we answer to. A page that has its own name point at us (DNS rebinding) is of "our" origin as
// far as its browser can tell: only the name in Host gives it away.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/authority.h"
#include "base/endpoint.h"
#include "base/error.h"

namespace wsproxy::access {

class HostNames {
 public:
  /// `given`: names, *.DOMAIN, addresses, or * for whatever there is. `own`: names that this machine is
  /// known by; what cannot be one is left out.
  /// Errors: Invalid, with the text, for `given` alone.
  static Result<HostNames> make(const std::vector<std::string>& given,
                                const std::vector<std::string>& own);

  /// True for localhost and names below it, for a name given or own, and for the address that the
  /// connection came to. Its port is nobody's concern: it may have been forwarded. Everything is ours on
  /// a Unix socket, where no browser gets by itself.
  [[nodiscard]] bool includes(const Authority& host, const SocketAddress& local) const;

 private:
  std::vector<std::string> names_;
  bool all_ = false;
};

/// The names in `hosts` (the text of a hosts(5) file) of the machine that calls itself `hostname`, with
/// that name itself, its first label, and what multicast DNS makes of it (NAME.local).
std::vector<std::string> names_of_machine(std::string_view hostname, std::string_view hosts);

/// The same for this machine: looks at /etc/hosts and asks nobody.
std::vector<std::string> names_of_this_machine();

}  // namespace wsproxy::access
