// Who is let in: counts connections and WebSockets, in all, by address and by target, and says no when there
// are enough of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/token_bucket.h"

namespace wsproxy::session {

/// Whom a client's address stands for: an IPv4 address, or the 64 bits of an IPv6 address that a customer
/// gets (RFC 6177) and changes as he likes; those on this machine are one each. Nobody, who is never
/// limited: a client on a Unix socket, which has no address.
class ClientKey {
 public:
  ClientKey() = default;
  explicit ClientKey(const SocketAddress& peer);
  explicit operator bool() const { return family_ != 0; }
  bool operator==(const ClientKey&) const = default;
  /// On this machine, where a reverse proxy may stand for many people.
  [[nodiscard]] bool is_local() const;
  [[nodiscard]] std::size_t hash() const;

 private:
  std::uint64_t bits_ = 0;  // IPv4: in host order
  int family_ = 0;
};

/// 0 is no limit, everywhere.
struct ConnectionLimits {
  unsigned rate = 0;  ///< new connections a second of one client, as many at once
  /// Connections that are no WebSockets, or not yet. From `start` on new ones are turned away by chance:
  /// `percent` of them at first, all at `full`.
  struct Pending {
    std::size_t start = 0;
    unsigned percent = 0;
    std::size_t full = 0;
  };
  Pending pending = {};
  std::size_t pending_per_client = 0;
  std::size_t answered = 256;  ///< how many of those that are turned away may be told so at a time
};
struct SessionLimits {
  std::size_t sessions = 0;
  std::size_t per_client = 0;
  std::size_t per_target = 0;
  bool once = false;  ///< one session in all, ever
};

enum class Denial : std::uint8_t {
  TooFast,           ///< of one client
  PendingOfClient,   ///< connections before the upgrade
  Pending,           ///< the same of all clients, by chance or for good
  SessionsOfClient,  ///< WebSockets
  SessionsOfTarget,
  Sessions,
};

/// A connection over a limit is let in all the same, to be told so, unless there are too many of those: an
/// answer costs a TLS handshake, perhaps, and a descriptor for a while.
///
/// Everything takes constant time. A client is remembered while it is connected, and at most kMemory of
/// those who have left for as long as their rate counts.
class Admission {
  struct Client;
  using Target = std::pair<const std::string, std::size_t>;  // and its sessions

 public:
  static constexpr std::size_t kMemory = 65536;
  static constexpr auto kBurst = std::chrono::seconds(1);
  static constexpr unsigned kAnswersPerSecond = 100;
  static constexpr unsigned kAnswersAtOnce = 256;

  /// `on_left` is called, from a session's destructor, each time a WebSocket has ended, `on_admitted`
  /// each time one was let in. `random` gives 0 to 99; by default, as nobody can foresee.
  Admission(
      const Clock& clock, std::move_only_function<void()> on_left,
      std::move_only_function<void()> on_admitted = [] {},
      std::move_only_function<unsigned()> random = {});
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// A connection that is no WebSocket (yet), or never will be. Outlived by its Admission.
  class Visit {
   public:
    Visit() = default;
    Visit(Visit&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)),
          client_(other.client_),
          denial_(other.denial_) {}
    Visit& operator=(Visit&& other) noexcept {
      std::swap(admission_, other.admission_);
      std::swap(client_, other.client_);
      std::swap(denial_, other.denial_);
      return *this;
    }
    ~Visit() {
      if (admission_ != nullptr) admission_->end(*this);
    }

    [[nodiscard]] ClientKey client() const { return client_; }
    /// Something: it is let in to be told so.
    [[nodiscard]] std::optional<Denial> denial() const { return denial_; }

   private:
    friend class Admission;
    Visit(Admission& admission, ClientKey client, std::optional<Denial> denial)
        : admission_(&admission), client_(client), denial_(denial) {}
    Admission* admission_ = nullptr;
    ClientKey client_;
    std::optional<Denial> denial_;
  };

  /// A place for one WebSocket, free again when it is destroyed. Outlived by its Admission.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)),
          client_(other.client_),
          target_(other.target_) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(admission_, other.admission_);
      std::swap(client_, other.client_);
      std::swap(target_, other.target_);
      return *this;
    }
    ~Place() {
      if (admission_ != nullptr) admission_->leave(client_, *target_);
    }
    explicit operator bool() const { return admission_ != nullptr; }

   private:
    friend class Admission;
    Place(Admission& admission, ClientKey client, Target& target)
        : admission_(&admission), client_(client), target_(&target) {}
    Admission* admission_ = nullptr;
    ClientKey client_;
    Target* target_ = nullptr;
  };

  /// A client has connected. An error: there are too many even of those that are only told why.
  std::expected<Visit, Denial> arrive(ClientKey key, const ConnectionLimits& limits);

  /// Makes a visit a WebSocket if there is a place.
  std::expected<Place, Denial> admit(Visit& visit, const std::string& target,
                                     const SessionLimits& limits);

  [[nodiscard]] std::size_t present() const { return present_; }
  [[nodiscard]] std::size_t admitted() const { return admitted_; }  ///< since the start
  [[nodiscard]] std::size_t pending() const { return pending_; }
  [[nodiscard]] std::uint64_t turned_away() const { return turned_away_; }  ///< connections, so far
  [[nodiscard]] std::size_t remembered() const { return clients_.size(); }

 private:
  struct Hash {
    std::size_t operator()(const ClientKey& key) const { return key.hash(); }
  };
  struct Stay {
    ClientKey key;
    SteadyTime left;  // in gone_ only
  };
  struct Client {
    std::size_t pending = 0;
    std::size_t sessions = 0;
    unsigned rate = 0;  // that `bucket` was made for
    TokenBucket bucket;
    std::list<Stay>::iterator stay;  // in here_ or gone_
    bool is_gone = false;
  };

  Client& client(ClientKey key, unsigned rate);
  [[nodiscard]] std::optional<Denial> check(ClientKey key, const ConnectionLimits& limits);
  std::expected<Visit, Denial> turn_away(ClientKey key, Denial why, std::size_t most_answered);
  void end(const Visit& visit);
  void leave(ClientKey key, Target& target);
  void forget_if_idle(ClientKey key);
  void forget_old(SteadyTime now);
  [[nodiscard]] bool is_unlucky(const ConnectionLimits::Pending& limits);

  const Clock& clock_;
  std::move_only_function<void()> on_left_;
  std::move_only_function<void()> on_admitted_;
  std::move_only_function<unsigned()> random_;
  std::unordered_map<ClientKey, Client, Hash> clients_;
  // Every client is in one of them, and goes over without memory being asked for: destructors do it.
  std::list<Stay> here_;
  std::list<Stay> gone_;  // oldest first
  std::unordered_map<std::string, std::size_t> targets_;
  std::size_t present_ = 0;
  std::size_t admitted_ = 0;
  std::size_t pending_ = 0;
  std::size_t being_told_ = 0;  // visits with a denial
  TokenBucket answers_;
  std::uint64_t turned_away_ = 0;
};

/// For the log and, where there is an answer, for the client.
const char* describe(Denial denial);

}  // namespace wsproxy::session
