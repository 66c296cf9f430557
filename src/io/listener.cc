#include "io/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "io/plain_stream.h"

namespace wsproxy::io {
namespace {

constexpr int kAcceptsPerTurn = 32;  // then the others have their turn
constexpr auto kRetryAfter = std::chrono::milliseconds(100);

// Where connections come and go at the limit it is met again and again.
constexpr log::Throttle::Limit kShortageLimit = {1, std::chrono::seconds(10)};

bool is_exhausted(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// The address, or its whole family, is not there on this machine.
bool is_not_ours(int error) { return error == EAFNOSUPPORT || error == EADDRNOTAVAIL; }

Result<UniqueFd> listen_socket(const SocketAddress& address, bool v6_only, Sharing sharing) {
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
  if (sharing == Sharing::Shared && !set(SOL_SOCKET, SO_REUSEPORT, 1))
    return failed("share the port");
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

// True if nobody listens there any more.
Result<bool> is_stale(const SocketAddress& address) {
  // a type other than the listener's (EPROTOTYPE) or a full queue (EAGAIN): somebody is there
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(Errc::Io, "", errno);
  if (::connect(fd.get(), address.get(), address.length()) == 0) return false;
  if (errno == ECONNREFUSED) return true;
  if (errno == EAGAIN || errno == EPROTOTYPE) return false;
  return fail(Errc::Io, "", errno);
}

// Makes room for a socket at `path` if what is there is the socket file of a listener that is gone.
Status remove_stale(const std::string& path, const SocketAddress& address) {
  struct stat before{};
  if (::lstat(path.c_str(), &before) != 0) {
    return errno == ENOENT ? Status() : fail(Errc::Io, "", errno);
  }
  if (!S_ISSOCK(before.st_mode)) return fail(Errc::Io, ", which is not a socket", EEXIST);
  const auto stale = is_stale(address);
  if (!stale) return std::unexpected(stale.error());
  if (!*stale) return fail(Errc::Io, "", EADDRINUSE);
  struct stat now{};
  const bool same = ::lstat(path.c_str(), &now) == 0 && now.st_dev == before.st_dev &&
                    now.st_ino == before.st_ino;
  if (same && ::unlink(path.c_str()) != 0) return fail(Errc::Io, "", errno);
  return {};
}

// Permissions that are set after bind() come too late: a client may be connected by then. unix(7) applies
// the umask to 0777, even in a directory with a default ACL.
int bind_with_mode(int fd, const SocketAddress& address, unsigned mode) {
  const mode_t before = ::umask(~mode & 0777U);
  const int bound = ::bind(fd, address.get(), address.length());
  const int error = errno;
  ::umask(before);
  errno = error;
  return bound;
}

// Moves a standard descriptor out of the way of what is opened next.
Result<int> move_up(int fd) {
  if (fd > STDERR_FILENO) return fd;
  const int higher = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (higher < 0) return fail(Errc::Io, "descriptor " + std::to_string(fd), errno);
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null) ::dup2(null.get(), fd);
  return higher;
}

}  // namespace

Listener::Listener(EventLoop& loop, UniqueFd socket, OnAccept on_accept, SocketFile file)
    : socket_(std::move(socket)),
      file_(std::move(file)),
      watch_(std::make_unique<Watch>(loop, socket_.get(), [this](Ready) { accept_some(); })),
      retry_(loop.timers(), [this] { start(); }),
      on_accept_(std::move(on_accept)),
      shortages_(loop.clock(), "times accepting had to pause", kShortageLimit, log::Level::Error) {
  tune_tcp(socket_.get());  // what it accepts inherits that: no system call for each connection
}

void Listener::start() { watch_->set({.read = true}); }

void Listener::stop() {
  retry_.cancel();
  watch_->set({});
  file_.remove();
  socket_.reset();
}

void Listener::leave() {
  file_.release();
  stop();
}

void Listener::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn && socket_; ++i) {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    UniqueFd fd(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &length,
                          SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      exhausted_ = false;
      on_accept_(std::move(fd), SocketAddress(reinterpret_cast<sockaddr*>(&peer), length));
      continue;
    }
    if (is_exhausted(errno)) {
      const std::string why = describe_errno(errno);
      if (!std::exchange(exhausted_, true) && shortages_.allow()) {
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

Result<std::vector<UniqueFd>> listen_on(const HostPort& where, Sharing sharing) {
  std::vector<UniqueFd> sockets;
  if (where.host.empty()) {
    auto both = listen_socket(*SocketAddress::numeric("::", where.port), false, sharing);
    if (!both && is_not_ours(both.error().sys)) {
      both = listen_socket(*SocketAddress::numeric("0.0.0.0", where.port), false, sharing);
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
    auto socket = listen_socket(address, true, sharing);
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

Result<UnixListener> listen_on_unix(const std::string& path, unsigned mode) {
  const std::string where = "cannot listen on unix:" + path;
  const auto failed = [&] { return fail(Errc::Io, where, errno); };
  const auto address = SocketAddress::unix_path(path);
  if (!address) return std::unexpected(address.error().in(where));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return failed();
  if (bind_with_mode(fd.get(), *address, mode) != 0) {
    if (errno != EADDRINUSE) return failed();
    if (const Status removed = remove_stale(path, *address); !removed) {
      return fail(Errc::Io, where + removed.error().text, removed.error().sys);
    }
    if (bind_with_mode(fd.get(), *address, mode) != 0) return failed();
  }
  auto file = SocketFile::own(path);
  if (!file) return std::unexpected(file.error().in("cannot listen"));
  if (::listen(fd.get(), SOMAXCONN) != 0) return failed();
  return UnixListener{std::move(fd), std::move(*file)};
}

Result<UniqueFd> adopt_listener(int fd) {
  const std::string name = "descriptor " + std::to_string(fd);
  const auto option = [fd](int option_name) {
    int value = 0;
    socklen_t length = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, option_name, &value, &length) == 0 ? value : -1;
  };
  struct stat status{};
  if (::fstat(fd, &status) != 0) return fail(Errc::Io, name, errno);
  if (!S_ISSOCK(status.st_mode)) return fail(Errc::Invalid, name + " is not a socket");
  const int domain = option(SO_DOMAIN);
  if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX) {
    return fail(Errc::Invalid, name + " is neither an Internet nor a Unix socket");
  }
  if (option(SO_TYPE) != SOCK_STREAM) return fail(Errc::Invalid, name + " is not a stream socket");
  if (option(SO_ACCEPTCONN) != 1) {
    return fail(Errc::Invalid, name + " is a socket that is not listening");
  }
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return fail(Errc::Io, name, errno);
  }
  const auto moved = move_up(fd);
  if (!moved) return std::unexpected(moved.error());
  return UniqueFd(*moved);
}

std::string peer_name(int fd, const SocketAddress& peer) {
  if (peer.family() != AF_UNIX) return peer.to_string();
  ucred who{};
  socklen_t length = sizeof who;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return "unix";
  return "unix:pid=" + std::to_string(who.pid) + ",uid=" + std::to_string(who.uid);
}

}  // namespace wsproxy::io
