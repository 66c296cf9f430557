// Connecting to a target without blocking: look-up, then all its addresses (RFC 8305).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "io/event_loop.h"
#include "io/resolver.h"
#include "io/stream.h"

namespace wsproxy::io {

/// Where to connect to: a host and port, or the path of a Unix socket.
struct Endpoint {
  std::string host;  ///< a name or a numeric address, without brackets
  std::uint16_t port = 0;
  std::string unix_path;  ///< if not empty, it counts and the others do not

  /// "localhost:5900", "[::1]:5900", "unix:/run/vnc".
  [[nodiscard]] std::string to_string() const;
};

struct DialLimits {
  Duration lookup = std::chrono::seconds(5);
  Duration connect = std::chrono::seconds(10);  ///< from the first attempt on, all together
  Duration user_timeout = Duration::zero();     ///< of the connection, see tune_tcp()
};

/// One connection being made. The destructor cancels it. It must not die while it is calling
/// `wake`: owners put that off with EventLoop::defer.
class Dial {
 public:
  virtual ~Dial() = default;
  [[nodiscard]] virtual bool pending() const = 0;

  /// The connected stream, once not pending. The error's text is for people:
  /// "cannot reach localhost:5901: connection refused" (Refused, Unreachable, TimedOut, NotFound,
  /// Io).
  virtual Result<std::unique_ptr<Stream>> take() = 0;
};

/// Makes connections. An interface, so that a test can play the target.
class Dialer {
 public:
  virtual ~Dialer() = default;

  /// Starts to connect. `wake` is called from the loop once it is not pending any more, never from
  /// within this call.
  virtual std::unique_ptr<Dial> dial(const Endpoint& target, const DialLimits& limits,
                                     std::move_only_function<void()> wake) = 0;
};

/// Tries every address of the target: the families alternate, a new attempt starts 250 ms after the
/// last or as soon as one fails, each attempt has its own time-out, the first to connect wins.
class SocketDialer final : public Dialer {
 public:
  SocketDialer(EventLoop& loop, Resolver& resolver) : loop_(loop), resolver_(resolver) {}
  std::unique_ptr<Dial> dial(const Endpoint& target, const DialLimits& limits,
                             std::move_only_function<void()> wake) override;

 private:
  EventLoop& loop_;
  Resolver& resolver_;
};

/// RFC 8305 section 4: alternates the families, beginning with that of the first address.
std::vector<SocketAddress> interleave_families(const std::vector<SocketAddress>& addresses);

}  // namespace wsproxy::io
