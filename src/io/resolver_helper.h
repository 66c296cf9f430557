// The helper process behind Resolver, and the messages between the two.
#pragma once

#include <array>
#include <cstdint>

namespace wsproxy::io {

constexpr std::size_t kMaxHostBytes = 255;
constexpr std::size_t kMaxAddresses = 16;

/// To the helper. An empty host cancels the look-up of that id.
struct LookupRequest {
  std::uint32_t id = 0;
  std::array<char, kMaxHostBytes + 1> host{};
};

/// From the helper, one for each look-up that was not cancelled.
struct LookupReply {
  struct Address {
    std::uint32_t family = 0;
    std::uint32_t scope = 0;  ///< of an IPv6 link-local address
    std::array<std::uint8_t, 16> bytes{};
  };
  std::uint32_t id = 0;
  std::int32_t error = 0;  ///< of getaddrinfo, 0 on success
  std::int32_t sys = 0;    ///< errno for EAI_SYSTEM
  std::uint32_t count = 0;
  std::array<Address, kMaxAddresses> addresses{};
};

/// The helper's life: answers requests from `socket` until its peer closes it. The only code that
/// calls getaddrinfo while sessions are alive.
[[noreturn]] void run_resolver_helper(int socket);

}  // namespace wsproxy::io
