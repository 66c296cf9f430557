// TLS or HTTP, told by the first byte of a connection.
#pragma once

#include <array>
#include <cstddef>

namespace wsproxy::tls {

/// True for the first byte of a TLS record that holds a ClientHello (RFC 8446 section 5.1: content
/// type handshake, 22). No HTTP method begins with it.
constexpr bool is_client_hello(std::byte first) { return first == std::byte{0x16}; }

/// What a TLS client understands where there is no TLS: a fatal alert, handshake_failure (RFC 8446
/// section 6).
constexpr std::array kNoTlsAlert = {std::byte{0x15}, std::byte{0x03}, std::byte{0x01},
                                    std::byte{0x00}, std::byte{0x02}, std::byte{0x02},
                                    std::byte{0x28}};

}  // namespace wsproxy::tls
