// systemd and its like: sockets that are handed over, and telling how we are.
//
// Sockets and the watchdog's interval come by libsystemd; a build without it (WITH_SYSTEMD=0) is
// handed no sockets and watched by nobody. The notifications are our own: sd_notify() waits when
// the service manager is slow, and looks the socket's path up each time, which fails in a chroot.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "io/event_loop.h"

namespace wsproxy::daemon {

struct PassedSocket {
  UniqueFd fd;
  std::string name;  ///< FileDescriptorName=, or "unknown"
};

/// The sockets that the service manager has opened for us (LISTEN_FDS), not blocking and
/// close-on-exec, in its order; none when it opened none, or when they are for another process
/// (LISTEN_PID). The environment no longer names them afterwards.
///
/// Call it first of all: before anything else is opened, and before daemonize().
/// Errors: Invalid, naming what is no listening stream socket; Io.
/// (A single socket by its number, `fd:N` and inetd's, is io::adopt_listener()'s.)
Result<std::vector<PassedSocket>> passed_sockets();

/// Tells the service manager how we are (sd_notify(3)), over a socket connected once: it works
/// in a chroot, and never blocks. What cannot be sent is lost, with a line in the log the first time.
class Notifier {
 public:
  /// Nobody listens: nothing is sent.
  Notifier() = default;

  /// From NOTIFY_SOCKET, a path or "@" and an abstract name, which is taken out of the environment,
  /// as our children are not the service. Nobody listens when there is none.
  /// Errors: Invalid, Io; a reason to log, not to end.
  static Result<Notifier> from_environment();

  [[nodiscard]] bool active() const { return static_cast<bool>(socket_); }

  /// Connections are served; also after reloading(). Tells our pid when it is not the one that we
  /// had in from_environment(), so after daemonize().
  void ready(std::string_view status = {});
  void reloading();
  void stopping();
  /// One line for `systemctl status`; control bytes become spaces.
  void status(std::string_view text);
  /// Starting or stopping may take this much longer, from now on.
  void extend_timeout(std::chrono::microseconds more);
  void alive();

  /// Another process of the service is the main one from now on, and is alive.
  void main_process(pid_t pid);

  /// NOTIFY_SOCKET, for that process.
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  void send(const std::string& message);

  UniqueFd socket_;
  std::string address_;
  pid_t first_pid_ = -1;
  bool failed_ = false;  // was said already, and nothing got through since
};

/// WatchdogSec= of the unit: after that long without alive() we are taken for dead. Nothing when
/// nobody watches, or when somebody else is watched. The environment no longer names it afterwards.
std::optional<std::chrono::microseconds> watchdog_interval();

/// Says alive() from the loop, twice per interval: a loop that hangs says nothing.
class Watchdog {
 public:
  /// `notifier` outlives it.
  Watchdog(io::EventLoop& loop, Notifier& notifier, std::chrono::microseconds interval);

 private:
  void tell();

  Notifier& notifier_;
  Duration every_;
  io::Timer timer_;
};

}  // namespace wsproxy::daemon
