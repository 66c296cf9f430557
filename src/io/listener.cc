#include "io/listener.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "base/log.h"

namespace wsproxy::io {
namespace {

constexpr int kAcceptsPerTurn = 32;  // then the others have their turn
constexpr auto kRetryAfter = std::chrono::milliseconds(100);

bool is_exhausted(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// The address, or its whole family, is not there on this machine.
bool is_not_ours(int error) { return error == EAFNOSUPPORT || error == EADDRNOTAVAIL; }

Result<UniqueFd> listen_socket(const SocketAddress& address, bool v6_only) {
  const auto failed = [&](const char* what) {
    const int error = errno;
    return fail(Errc::Io, std::string("cannot ") + what + " on " + address.to_string(), error);
  };
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return failed("listen");
  const auto set = [&](int level, int name, int value) {
    return ::setsockopt(fd.get(), level, name, &value, sizeof value) == 0;
  };
  // lets us listen again at once while connections of the last run are in TIME_WAIT
  set(SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.family() == AF_INET6) set(IPPROTO_IPV6, IPV6_V6ONLY, v6_only ? 1 : 0);
  if (::bind(fd.get(), address.get(), address.length()) != 0) return failed("listen");
  if (::listen(fd.get(), SOMAXCONN) != 0) return failed("listen");
  return fd;
}

Result<std::vector<SocketAddress>> addresses_of(const HostPort& where) {
  if (const auto numeric = SocketAddress::numeric(where.host, where.port)) return {{*numeric}};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(where.host.c_str(), nullptr, &hints, &list);
  if (error != 0) {
    return fail(Errc::NotFound, "cannot listen on " + where.host + ": " + gai_strerror(error));
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    SocketAddress address(entry->ai_addr, entry->ai_addrlen);
    address.set_port(where.port);
    addresses.push_back(address);
  }
  ::freeaddrinfo(list);
  return addresses;
}

}  // namespace

Listener::Listener(EventLoop& loop, UniqueFd socket, OnAccept on_accept)
    : socket_(std::move(socket)),
      watch_(std::make_unique<Watch>(loop, socket_.get(), [this](Ready) { accept_some(); })),
      retry_(loop.timers(), [this] { start(); }),
      on_accept_(std::move(on_accept)) {}

void Listener::start() { watch_->set({.read = true}); }

void Listener::stop() {
  retry_.cancel();
  watch_->set({});
  socket_.reset();
}

void Listener::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn && socket_; ++i) {
    UniqueFd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      exhausted_ = false;
      on_accept_(std::move(fd));
      continue;
    }
    if (is_exhausted(errno)) {
      const std::string why = describe_errno(errno);
      if (!std::exchange(exhausted_, true)) {
        log::error("cannot accept connections: %s; trying again every 100 ms", why.c_str());
      }
      watch_->set({});
      retry_.arm(kRetryAfter);
      return;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    // ECONNABORTED and the network errors that accept(2) lists: that connection is gone, go on
  }
}

Result<std::vector<UniqueFd>> listen_on(const HostPort& where) {
  std::vector<UniqueFd> sockets;
  if (where.host.empty()) {
    auto both = listen_socket(*SocketAddress::numeric("::", where.port), false);
    if (!both && is_not_ours(both.error().sys)) {
      both = listen_socket(*SocketAddress::numeric("0.0.0.0", where.port), false);
    }
    if (!both) return std::unexpected(both.error());
    sockets.push_back(std::move(*both));
    return sockets;
  }
  const auto addresses = addresses_of(where);
  if (!addresses) return std::unexpected(addresses.error());
  std::uint16_t port = where.port;
  Error unusable;
  for (SocketAddress address : *addresses) {
    address.set_port(port);
    auto socket = listen_socket(address, true);
    // "localhost" is ::1 in /etc/hosts even where IPv6 is off: one address that works will do
    if (!socket && is_not_ours(socket.error().sys) && addresses->size() > 1) {
      unusable = socket.error();
      continue;
    }
    if (!socket) return std::unexpected(socket.error());
    port = local_address(socket->get()).port();  // port 0: the first pick counts for all
    sockets.push_back(std::move(*socket));
  }
  if (sockets.empty()) return std::unexpected(unusable);
  return sockets;
}

}  // namespace wsproxy::io
