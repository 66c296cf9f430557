// Into the background, without leaving whoever started us in doubt.
//
// The order, which whoever calls these keeps:
//   1. passed_sockets(), Notifier::from_environment()  both look at our first pid
//   2. daemonize()                                     before there is a loop, a helper, a lock
//   3. everything is opened; relative paths still mean what they mean on the command line, and
//      what goes wrong is said on standard error
//   4. ReadyPipe::ready()
#pragma once

#include "base/error.h"
#include "base/unique_fd.h"

namespace wsproxy::daemon {

/// The daemon's end of the line to the process that was started and waits.
///
/// When it is closed without ready(), by a return from main() or a crash, that process ends with
/// the daemon's exit status.
class ReadyPipe {
 public:
  /// In the foreground: ready() does nothing.
  ReadyPipe() = default;

  /// Lets go of the terminal and tells that connections are served now: chdir("/"), /dev/null in
  /// place of standard input, output and error, and then the process that waits ends with 0.
  /// Whoever holds descriptors 0 to 2 for something else (io::adopt_listener() does) has moved it before.
  /// Works inside a chroot. Safe to call twice.
  ///
  /// Errors: Io, also when nobody waits any more: whoever started us was killed meanwhile and
  /// will not expect us to run.
  Status ready();

  [[nodiscard]] bool in_background() const { return static_cast<bool>(socket_); }

 private:
  friend Result<ReadyPipe> daemonize();
  UniqueFd socket_;
  UniqueFd null_;
};

/// Forks twice, with a session of its own between, so that the daemon has no terminal and can get
/// none; umask 0077. Only the daemon returns from it.
///
/// The process that was started stays until then:
///   ready()            it ends with 0
///   the daemon ends    it ends with the same status, or 1 for 0; the daemon has said why on standard
///                      error, which is the same
///   it was killed      it says by what, and ends with 1
///   INT, TERM, HUP     it passes TERM on, KILL after 5 seconds, and ends by the signal that it got
/// Errors (in the process that was started, nothing happened yet): Io.
Result<ReadyPipe> daemonize();

}  // namespace wsproxy::daemon
