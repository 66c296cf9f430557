// SHA-1 (RFC 3174), for Sec-WebSocket-Accept only: it protects nothing there.
#pragma once

#include <array>
#include <cstddef>

#include "base/bytes.h"

namespace wsproxy {

std::array<std::byte, 20> sha1(Bytes message);

}  // namespace wsproxy
