// Keys of session tickets: what a client keeps for us so that its next handshake is short.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "base/clock.h"

struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;

namespace wsproxy::tls {

struct TicketKey {
  std::array<unsigned char, 16> name{};  ///< stands in front of each ticket, unencrypted
  std::array<unsigned char, 32> cipher{};
  std::array<unsigned char, 32> mac{};
  SteadyTime made;
};

/// Tickets are sealed (AES-256-CBC, HMAC-SHA256) with a key that is replaced after 12 hours and opens them
/// for 12 more; then nobody can, us included. Keys are made here, never leave the process, and outlive
/// the certificates: one object serves all contexts that follow each other. Nothing is kept per session.
class TicketKeys {
 public:
  static constexpr auto kLifetime = std::chrono::hours(12);
  using Name = std::span<unsigned char, 16>;

  /// `clock` has to outlive it.
  explicit TicketKeys(const Clock& clock) : clock_(clock) {}
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;
  ~TicketKeys();

  /// Sets up the sealing of a new ticket; `iv` has room for 16 bytes. False: there is to be none.
  bool seal(Name name, unsigned char* iv, evp_cipher_ctx_st* cipher, evp_mac_ctx_st* mac);

  enum class Opened : unsigned char { No, Current, Previous };
  /// Sets up the opening of a ticket. No: not with a key of ours, so a full handshake follows.
  Opened open(Name name, const unsigned char* iv, evp_cipher_ctx_st* cipher, evp_mac_ctx_st* mac);

 private:
  static void wipe(std::optional<TicketKey>& key);
  void rotate();

  const Clock& clock_;
  std::optional<TicketKey> current_;  // none before the first ticket, or without random numbers
  std::optional<TicketKey> previous_;
};

}  // namespace wsproxy::tls
