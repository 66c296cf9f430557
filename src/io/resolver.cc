#include "io/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <csignal>
#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "io/resolver_helper.h"

namespace wsproxy::io {
namespace {

constexpr std::size_t kMaxAtOnce = 32;
constexpr auto kRestartPause = std::chrono::seconds(1);

std::string describe_gai(int error) {
  // glibc says "Name or service not known" and "No address associated with hostname"
  if (error == EAI_NONAME || error == EAI_NODATA) return "no such host";
  std::string text = gai_strerror(error);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

Result<std::vector<SocketAddress>> addresses_of(const LookupReply& reply) {
  if (reply.error == EAI_SYSTEM) return fail(Errc::Io, "look-up failed", reply.sys);
  if (reply.error != 0) return fail(Errc::NotFound, describe_gai(reply.error));
  std::vector<SocketAddress> addresses;
  for (std::size_t i = 0; i < std::min<std::size_t>(reply.count, kMaxAddresses); ++i) {
    const LookupReply::Address& from = reply.addresses[i];
    if (from.family == AF_INET) {
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      std::memcpy(&v4.sin_addr, from.bytes.data(), sizeof v4.sin_addr);
      addresses.emplace_back(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
    } else {
      sockaddr_in6 v6{};
      v6.sin6_family = AF_INET6;
      v6.sin6_scope_id = from.scope;
      std::memcpy(&v6.sin6_addr, from.bytes.data(), sizeof v6.sin6_addr);
      addresses.emplace_back(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
    }
  }
  return addresses;
}

}  // namespace

Lookup::Lookup(Resolver& resolver, std::uint32_t id, std::string_view host,
               std::move_only_function<void()> wake)
    : resolver_(resolver),
      id_(id),
      host_(host.substr(0, kMaxHostBytes)),
      result_(fail(Errc::TimedOut, "name look-up timed out")),
      wake_(std::move(wake)),
      timeout_(resolver.loop_.timers(), [this] {
        resolver_.remove(*this);
        finish(std::move(result_));
      }) {}

Lookup::~Lookup() {
  if (pending_) resolver_.remove(*this);
}

void Lookup::finish(Result<std::vector<SocketAddress>> result) {
  result_ = std::move(result);
  pending_ = false;
  timeout_.cancel();
  wake_();
}

Resolver::Resolver(EventLoop& loop, std::function<Status()> prepare,
                   std::shared_ptr<Spawner> spawner)
    : loop_(loop),
      spawner_(std::move(spawner)),
      job_(spawner_->add([prepare = std::move(prepare)](const Spawner::Order& order) {
        const Status prepared = prepare ? prepare() : Status();
        if (prepared) run_resolver_helper(order.fds.at(0).get());
        log::error("look-up helper: %s", prepared.error().message().c_str());
      })),
      restart_(loop.timers(), [this] { start_again(); }) {
  start_helper();
}

Resolver::~Resolver() {
  CHECK(pending_.empty());
  stop_helper();
}

void Resolver::start_helper() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    log::error("cannot start the look-up helper: %s", describe_errno(errno).c_str());
    return;
  }
  UniqueFd ours(pair[0]);
  const UniqueFd theirs(pair[1]);
  const auto helper = spawner_->spawn(job_, std::array{theirs.get()});
  if (!helper) {
    log::error("cannot start the look-up helper: %s", helper.error().message().c_str());
    return;
  }
  helper_ = *helper;
  socket_ = std::move(ours);
  watch_ = std::make_unique<Watch>(loop_, socket_.get(), [this](Ready ready) {
    if (ready.read || ready.hang_up) read_reply();
    if (ready.write && socket_) send_waiting();
  });
  watch_->set({.read = true});
}

void Resolver::stop_helper() {
  watch_.reset();
  socket_.reset();
  if (helper_ > 0) {
    ::kill(helper_, SIGKILL);
    ::waitpid(helper_, nullptr, 0);
  }
  helper_ = -1;
  sent_ = 0;
}

// What was under way is asked again: the fault is the helper's, not the name's. One that cannot live must not
// keep us busy with starting it, though: look-ups wait for the next, or time out.
void Resolver::restart_helper() {
  stop_helper();
  for (const auto& [id, lookup] : pending_) lookup->sent_ = false;
  if (restarted_ && loop_.clock().now() - *restarted_ < kRestartPause) {
    log::error("the look-up helper ended again; starting another in a second");
    restart_.arm(kRestartPause);
    return;
  }
  log::error("the look-up helper ended; starting another");
  start_again();
}

void Resolver::start_again() {
  restarted_ = loop_.clock().now();
  start_helper();
  send_waiting();
}

std::unique_ptr<Lookup> Resolver::lookup(std::string_view host, Duration limit,
                                         std::move_only_function<void()> wake) {
  const std::uint32_t id = next_id_++;
  std::unique_ptr<Lookup> lookup(new Lookup(*this, id, host, std::move(wake)));
  pending_[id] = lookup.get();
  lookup->timeout_.arm(limit);
  if (!socket_ && !restart_.armed()) start_helper();
  send_waiting();
  return lookup;
}

void Resolver::send_waiting() {
  for (const auto& [id, lookup] : pending_) {
    if (sent_ == kMaxAtOnce || !socket_) break;
    if (lookup->sent_) continue;
    LookupRequest request;
    request.id = id;
    std::ranges::copy(lookup->host_, request.host.begin());
    if (::send(socket_.get(), &request, sizeof request, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      watch_->set({.read = true, .write = true});  // its queue is full: go on when it has room
      return;
    }
    lookup->sent_ = true;
    ++sent_;
  }
  if (watch_) watch_->set({.read = true});
}

void Resolver::remove(Lookup& lookup) {
  pending_.erase(lookup.id_);
  if (!lookup.sent_) return;
  --sent_;
  LookupRequest cancel;
  cancel.id = lookup.id_;
  ::send(socket_.get(), &cancel, sizeof cancel, MSG_DONTWAIT | MSG_NOSIGNAL);
  send_waiting();
}

void Resolver::read_reply() {
  LookupReply reply;
  const ssize_t n = ::recv(socket_.get(), &reply, sizeof reply, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n != sizeof reply) {
    watch_->set({});
    loop_.defer([this] { restart_helper(); });
    return;
  }
  const auto found = pending_.find(reply.id);
  if (found == pending_.end()) return;  // cancelled while the answer was on its way
  Lookup* lookup = found->second;
  pending_.erase(found);
  --sent_;
  send_waiting();
  lookup->finish(addresses_of(reply));
}

}  // namespace wsproxy::io
