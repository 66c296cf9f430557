// A listening socket that hands out connections.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/error.h"
#include "base/log_throttle.h"
#include "base/unique_fd.h"
#include "io/event_loop.h"
#include "io/plain_stream.h"
#include "io/socket_file.h"

namespace wsproxy::io {

/// Accepts from a socket that is listening already; connections are tuned (see tune_tcp). Out of descriptors
/// or memory it pauses for 100 ms at a time instead of spinning; the connections wait in the kernel's queue.
class Listener {
 public:
  using OnAccept = std::move_only_function<void(UniqueFd, const SocketAddress& peer)>;

  /// `file`: that of a Unix socket, removed when listening ends.
  Listener(EventLoop& loop, UniqueFd socket, OnAccept on_accept, SocketFile file = {});

  /// Takes connections from now on.
  void start();
  /// Closes the socket: new connections are refused.
  void stop();
  /// Closes our descriptor of the socket, which somebody else goes on with: its file stays.
  void leave();
  /// To hand over; -1 when it is closed.
  [[nodiscard]] int fd() const { return socket_.get(); }

  [[nodiscard]] SocketAddress address() const { return local_address(socket_.get()); }

  /// Of the connections that come from now on, see set_user_timeout().
  void set_user_timeout(Duration timeout) { io::set_user_timeout(socket_.get(), timeout); }

 private:
  void accept_some();

  UniqueFd socket_;
  SocketFile file_;  // behind the socket: the file goes before the socket is closed
  std::unique_ptr<Watch> watch_;
  Timer retry_;
  OnAccept on_accept_;
  bool exhausted_ = false;  // and nothing was accepted since
  log::Throttle shortages_;
};

/// Whether other processes of the same user may listen on the same port at the same time; the kernel then
/// spreads connections over those that say so too (SO_REUSEPORT).
enum class Sharing : unsigned char { Alone, Shared };

/// Sockets that listen on `where`, not blocking, close-on-exec.
///
/// No host: one socket for both families, or IPv4 alone where there is no IPv6. A name is looked up
/// here and now, before the loop runs; every address it has on this machine gets a socket, all with
/// the same port.
/// Errors name the address: in use, not ours, not permitted.
Result<std::vector<UniqueFd>> listen_on(const HostPort& where, Sharing sharing = Sharing::Alone);

struct UnixListener {
  UniqueFd socket;
  SocketFile file;
};

/// A Unix socket that listens at `path`, not blocking, close-on-exec, with the permission bits `mode` from
/// the moment it exists. The socket file of a listener that is gone is replaced; the umask is changed for
/// a moment, so no other thread may be creating files.
/// Errors name the path: in use, too long (over 107 bytes), there but not a socket, not permitted.
Result<UnixListener> listen_on_unix(const std::string& path, unsigned mode);

/// A socket that we were started with (systemd, inetd, supervisord): an Internet or Unix stream socket
/// that is listening. Takes `fd` over unless there is an error, which says what is wrong with it.
///
/// It becomes close-on-exec, and non-blocking though that flag is shared with whoever else holds the
/// socket: of several processes that are woken for one connection all but the first would block in
/// accept(). Those who hand sockets out do not accept from them. If `fd` is 0, 1 or 2, the socket moves
/// to another descriptor and /dev/null takes its place.
Result<UniqueFd> adopt_listener(int fd);

/// Who is at the other end of a connected socket, for logs: "10.0.0.7:51123", "unix:pid=812,uid=33".
std::string peer_name(int fd, const SocketAddress& peer);

}  // namespace wsproxy::io
