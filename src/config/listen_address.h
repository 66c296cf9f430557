// What can be listened on, as people write it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "base/error.h"

namespace wsproxy::config {

struct ListenAddress {
  enum class Kind : std::uint8_t {
    Tcp,         ///< `tcp`
    Unix,        ///< `path`
    Descriptor,  ///< `fd`, a listening socket that whoever started us has opened
    Systemd,     ///< every socket that the service manager passes (LISTEN_FDS)
  };
  Kind kind = Kind::Tcp;
  HostPort tcp;  ///< empty host: all addresses of both families; port 0: a free one
  std::string path;
  int fd = -1;
};

/// Reads "[ADDR:]PORT", "unix:PATH" (1 to 107 bytes), "fd:N" (0 to 1048575) or "systemd".
/// Errors: Invalid, with the text that was read.
Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace wsproxy::config
