// A listening socket that hands out connections.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/endpoint.h"
#include "base/error.h"
#include "base/unique_fd.h"
#include "io/event_loop.h"

namespace wsproxy::io {

/// Accepts from a socket that is listening already. Out of descriptors or memory it pauses for
/// 100 ms at a time instead of spinning; the connections wait in the kernel's queue.
class Listener {
 public:
  using OnAccept = std::move_only_function<void(UniqueFd)>;

  Listener(EventLoop& loop, UniqueFd socket, OnAccept on_accept);

  /// Takes connections from now on.
  void start();
  /// Closes the socket: new connections are refused.
  void stop();

  [[nodiscard]] SocketAddress address() const { return local_address(socket_.get()); }

 private:
  void accept_some();

  UniqueFd socket_;
  std::unique_ptr<Watch> watch_;
  Timer retry_;
  OnAccept on_accept_;
  bool exhausted_ = false;  // was said already, and nothing was accepted since
};

/// Sockets that listen on `where`, not blocking, close-on-exec.
///
/// No host: one socket for both families, or IPv4 alone where there is no IPv6. A name is looked up
/// here and now, before the loop runs; every address it has on this machine gets a socket, all with
/// the same port.
/// Errors name the address: in use, not ours, not permitted.
Result<std::vector<UniqueFd>> listen_on(const HostPort& where);

}  // namespace wsproxy::io
