// TLS or HTTP, told by the first byte of a connection.
#pragma once

#include <cstddef>

namespace wsproxy::tls {

/// True for the first byte of a TLS record that holds a ClientHello (RFC 8446 section 5.1: content
/// type handshake, 22). No HTTP method begins with it.
constexpr bool is_client_hello(std::byte first) { return first == std::byte{0x16}; }

}  // namespace wsproxy::tls
