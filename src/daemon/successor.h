// A new program takes over from the running one: it inherits the listening sockets, and the old one keeps
// its sessions until they end. Nobody is refused and nobody cut.
//
//   old                                  new
//   Successor: forks twice, execs   -->  Predecessor::from_environment()
//                                        configuration, keys, sockets; says when all is well
//   tells the service manager who
//   the main process is now, lets go     waits for that, and only then tells it anything itself:
//   of the sockets               -->     the service manager listens to the main process alone
//
// The new one is no child of the old one's, so that it becomes the service manager's.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "io/event_loop.h"
#include "io/spawner.h"
#include "io/watch.h"

namespace wsproxy::daemon {

/// A listening socket on its way; the socket stays the owner's.
struct SocketToHand {
  int fd = -1;
  std::string listen;  ///< what the configuration calls it: "[::1]:6080", "systemd"
  std::string name;    ///< the service manager's name for it, or empty
};

/// The same on arrival, close-on-exec.
struct InheritedSocket {
  UniqueFd fd;
  std::string listen;
  std::string name;
};

/// What the new program is started with.
struct SuccessorOptions {
  std::string program;                 ///< its path; the file there by then, not the running one
  std::vector<std::string> arguments;  ///< with argv[0]
  std::vector<std::pair<std::string, std::string>> environment;  ///< to set besides our own
  std::chrono::milliseconds limit{60'000};                       ///< for it to be ready
};

/// The way to start one, laid down before `spawner` is started.
class SuccessorStarter {
 public:
  explicit SuccessorStarter(SuccessorOptions options,
                            std::shared_ptr<io::Spawner> spawner = std::make_shared<io::Spawner>());

 private:
  friend class Successor;
  std::chrono::milliseconds limit_;
  std::shared_ptr<io::Spawner> spawner_;
  std::size_t job_;
};

/// The old process's end.
class Successor {
 public:
  /// The new one's pid, or why there is none. It is told once, never from within start(), and
  /// may destroy the Successor. After a pid the new one waits for confirm().
  using OnEnd = std::move_only_function<void(Result<pid_t>)>;

  /// Starts the new program. Errors: Io, Invalid (more sockets than fit into an order).
  static Result<std::unique_ptr<Successor>> start(io::EventLoop& loop,
                                                  const SuccessorStarter& starter,
                                                  const std::vector<SocketToHand>& sockets,
                                                  OnEnd on_end);
  /// One that was not confirmed gets SIGTERM: whoever gives it up does not want two of them.
  ~Successor();
  Successor(const Successor&) = delete;
  Successor& operator=(const Successor&) = delete;

  /// The service manager knows the new one: it may speak from now on.
  void confirm();

 private:
  Successor(io::EventLoop& loop, UniqueFd channel, std::chrono::milliseconds limit, OnEnd on_end);
  void read();
  void read_pid();
  void end(Result<pid_t> outcome);

  io::EventLoop& loop_;
  UniqueFd channel_;
  io::Watch watch_;
  io::Timer limit_;
  OnEnd on_end_;
  pid_t pid_ = -1;
  bool confirmed_ = false;
};

/// The new process's end; there is none in a usual start.
class Predecessor {
 public:
  Predecessor() = default;

  /// Takes the channel and the sockets, and the environment no longer names them.
  /// Errors: Invalid, when what is there does not fit.
  static Result<Predecessor> from_environment();

  [[nodiscard]] bool exists() const { return static_cast<bool>(channel_); }

  /// All that were handed over and nobody has taken: whoever wants one moves it out.
  [[nodiscard]] std::vector<InheritedSocket>& sockets() { return sockets_; }

  /// We serve from now on. Comes back when the service manager knows, or after ten seconds: a
  /// predecessor that has died meanwhile is no reason not to go on.
  void take_over();

 private:
  UniqueFd channel_;
  std::vector<InheritedSocket> sockets_;
};

}  // namespace wsproxy::daemon
