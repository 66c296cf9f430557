#include "session/admission.h"

#include <sys/random.h>

#include <new>
#include <span>

#include "base/bytes.h"

namespace wsproxy::session {
namespace {

constexpr unsigned kForgottenAtOnce = 4;  // more than can arrive meanwhile: the memory shrinks

unsigned unforeseeable() {
  unsigned value = 0;
  if (::getrandom(&value, sizeof value, GRND_NONBLOCK) != sizeof value) return 99;
  return value % 100;
}

Bytes bytes_of(const in6_addr& address) { return std::as_bytes(std::span(address.s6_addr)); }

}  // namespace

ClientKey::ClientKey(const SocketAddress& peer) {
  if (peer.family() == AF_INET) {
    family_ = AF_INET;
    bits_ = ntohl(reinterpret_cast<const sockaddr_in*>(peer.get())->sin_addr.s_addr);
  } else if (peer.family() == AF_INET6) {
    const in6_addr& address = reinterpret_cast<const sockaddr_in6*>(peer.get())->sin6_addr;
    family_ = AF_INET6;
    if (IN6_IS_ADDR_V4MAPPED(&address) != 0) {
      family_ = AF_INET;
      bits_ = load_big_endian(bytes_of(address).subspan(12));
    } else if (IN6_IS_ADDR_LOOPBACK(&address) != 0) {
      family_ = AF_INET;
      bits_ = INADDR_LOOPBACK;
    } else {
      bits_ = load_big_endian(bytes_of(address).first(8));
    }
  }
}

bool ClientKey::is_local() const { return family_ == AF_INET && bits_ >> 24 == IN_LOOPBACKNET; }

std::size_t ClientKey::hash() const {
  // splitmix64, salted: who chooses his addresses cannot choose where they collide
  static const std::uint64_t salt = [] {
    std::uint64_t value = 0;
    (void)!::getrandom(&value, sizeof value, GRND_NONBLOCK);
    return value;
  }();
  std::uint64_t x = (bits_ ^ static_cast<std::uint64_t>(family_) << 56) + salt;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

Admission::Admission(const Clock& clock, std::move_only_function<void()> on_left,
                     std::move_only_function<void()> on_admitted,
                     std::move_only_function<unsigned()> random)
    : clock_(clock),
      on_left_(std::move(on_left)),
      on_admitted_(std::move(on_admitted)),
      random_(random ? std::move(random) : std::move_only_function<unsigned()>(unforeseeable)),
      answers_(kAnswersPerSecond, kAnswersAtOnce, clock.now()) {}

std::expected<Admission::Visit, Denial> Admission::arrive(ClientKey key,
                                                          const ConnectionLimits& limits) {
  forget_old(clock_.now());
  if (const auto denial = check(key, limits)) return turn_away(key, *denial, limits.answered);
  if (key) {
    Client& from = clients_.at(key);
    ++from.pending;
    if (std::exchange(from.is_gone, false)) here_.splice(here_.end(), gone_, from.stay);
  }
  ++pending_;
  return Visit(*this, key, std::nullopt);
}

std::optional<Denial> Admission::check(ClientKey key, const ConnectionLimits& limits) {
  if (key) {
    Client& from = client(key, limits.rate);
    if (!from.bucket.take(clock_.now())) return Denial::TooFast;
    if (limits.pending_per_client > 0 && from.pending >= limits.pending_per_client) {
      return Denial::PendingOfClient;
    }
  }
  if (is_unlucky(limits.pending)) return Denial::Pending;
  return std::nullopt;
}

std::expected<Admission::Visit, Denial> Admission::turn_away(ClientKey key, Denial why,
                                                             std::size_t most_answered) {
  ++turned_away_;
  if (being_told_ >= most_answered || !answers_.take(clock_.now())) return std::unexpected(why);
  ++being_told_;
  return Visit(*this, key, why);
}

// As sshd's MaxStartups: an attacker who fills all places meets the same chance as everybody else.
bool Admission::is_unlucky(const ConnectionLimits::Pending& limits) {
  if (limits.full == 0 || pending_ < limits.start) return false;
  if (pending_ >= limits.full) return true;
  const std::size_t chance = limits.percent + (100 - limits.percent) * (pending_ - limits.start) /
                                                  (limits.full - limits.start);
  return random_() < chance;
}

std::expected<Admission::Place, Denial> Admission::admit(Visit& visit, const std::string& target,
                                                         const SessionLimits& limits) {
  if ((limits.sessions > 0 && present_ >= limits.sessions) || (limits.once && admitted_ > 0)) {
    return std::unexpected(Denial::Sessions);
  }
  const ClientKey key = visit.client_;
  const auto found = clients_.find(key);
  if (found != clients_.end() && limits.per_client > 0 &&
      found->second.sessions >= limits.per_client) {
    return std::unexpected(Denial::SessionsOfClient);
  }
  Target& to = *targets_.try_emplace(target).first;
  if (limits.per_target > 0 && to.second >= limits.per_target) {
    return std::unexpected(Denial::SessionsOfTarget);
  }
  Place place(*this, key, to);
  ++to.second;
  ++present_;
  ++admitted_;
  if (found != clients_.end()) ++found->second.sessions;
  end(visit);
  visit.admission_ = nullptr;
  on_admitted_();
  return place;
}

void Admission::end(const Visit& visit) {
  if (visit.denial_) {
    --being_told_;
    return;
  }
  --pending_;
  const auto found = clients_.find(visit.client_);
  if (found == clients_.end()) return;
  --found->second.pending;
  forget_if_idle(visit.client_);
}

void Admission::leave(ClientKey key, Target& target) {
  --present_;
  if (--target.second == 0) targets_.erase(targets_.find(target.first));
  if (const auto found = clients_.find(key); found != clients_.end()) {
    --found->second.sessions;
    forget_if_idle(key);
  }
  try {
    on_left_();
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): we are in a destructor
  }
}

Admission::Client& Admission::client(ClientKey key, unsigned rate) {
  auto found = clients_.find(key);
  const bool is_new = found == clients_.end();
  if (is_new) {
    std::list<Stay> stay = {Stay{key, {}}};
    found = clients_.try_emplace(key).first;
    found->second.stay = stay.begin();
    here_.splice(here_.end(), stay);
  }
  Client& client = found->second;
  if (is_new || client.rate != rate) {
    const auto per_second = static_cast<float>(rate);
    client.bucket = TokenBucket(per_second, per_second * kBurst.count(), clock_.now());
    client.rate = rate;
  }
  if (is_new) forget_if_idle(key);
  return client;
}

// Its bucket is full again after kBurst: forgotten any later it would be the same, any sooner a way around.
void Admission::forget_if_idle(ClientKey key) {
  Client& client = clients_.at(key);
  if (client.pending > 0 || client.sessions > 0 || client.is_gone) return;
  client.is_gone = true;
  client.stay->left = clock_.now();
  gone_.splice(gone_.end(), here_, client.stay);
}

void Admission::forget_old(SteadyTime now) {
  for (unsigned i = 0; i < kForgottenAtOnce && !gone_.empty(); ++i) {
    const Stay& oldest = gone_.front();
    if (now < oldest.left + kBurst && gone_.size() < kMemory) return;
    clients_.erase(oldest.key);
    gone_.pop_front();
  }
}

const char* describe(Denial denial) {
  switch (denial) {
    case Denial::TooFast: return "too many new connections from this address; see --max-rate";
    case Denial::PendingOfClient:
      return "too many connections from this address; see --max-pending-per-address";
    case Denial::Pending: return "too many connections; see --max-pending";
    case Denial::SessionsOfClient:
      return "as many sessions as there may be from this address are open; see "
             "--max-sessions-per-address";
    case Denial::SessionsOfTarget:
      return "as many sessions as there may be to this server are open; see "
             "--max-sessions-per-target";
    case Denial::Sessions: return "as many sessions as there may be are open";
  }
  return "";
}

}  // namespace wsproxy::session
