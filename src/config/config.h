// What an operator can set. Immutable once read; sessions share it as shared_ptr<const Config>.
#pragma once

#include <chrono>
#include <string>

#include "base/endpoint.h"

namespace wsproxy::config {

struct Config {
  HostPort listen;     ///< empty host: all addresses of both families
  std::string target;  ///< "HOST:PORT" or "unix:PATH", as written

  std::string cert;  ///< PEM file: certificate and chain; empty: no TLS
  std::string key;   ///< PEM file; empty: the key is in `cert`
  bool ssl_only = false;

  std::string web;                         ///< directory to serve in place of the built-in page
  std::string frame_ancestors = "'self'";  ///< who may embed the built-in page (CSP source list)

  std::chrono::seconds handshake_timeout{10};  ///< from accept to the end of the request, in total
  std::chrono::seconds lookup_timeout{5};
  std::chrono::seconds connect_timeout{10};  ///< all addresses of a target together
  std::chrono::seconds drain_timeout{5};     ///< for what is under way when one side closes
  std::chrono::seconds send_timeout{30};     ///< a page or file that makes no progress

  bool foreground = false;
  bool verbose = false;
  bool help = false;
  bool version = false;
};

}  // namespace wsproxy::config
