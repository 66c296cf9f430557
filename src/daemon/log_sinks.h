// From the options about logs to what writes them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "daemon/log_writer.h"

namespace wsproxy::io {
class Resolver;
}

namespace wsproxy::daemon {

struct LogOptions {
  bool json = false;           ///< lines of stderr and of `file` as JSON objects
  std::string file;            ///< written in addition to stderr; empty: none
  std::string syslog;          ///< "HOST:PORT" (UDP) or the path of a socket; empty: none
  bool legacy_syslog = false;  ///< "<pri>ident[pid]: text" instead of RFC 5424
  bool daemonized = false;     ///< facility DAEMON instead of USER
  std::string access_file;     ///< "-" is standard output; empty: no access log
  std::optional<FileOwner> owner;

  /// Called in each writer process before it writes anything: the place to give up root as the daemon itself
  /// will do later. An error ends the writer and makes open_log_sinks() fail. It keeps descriptors of its
  /// own for its file's directory, so a chroot does not take that away.
  std::function<Status()> after_fork;
  std::shared_ptr<io::Spawner> spawner = std::make_shared<io::Spawner>();  ///< replaces writers
};

struct Logs {
  std::vector<std::unique_ptr<log::Sink>> sinks;  ///< for log::set_sinks()
  std::unique_ptr<log::Output> access;            ///< null: no access log

  /// Not empty when a name has to be looked up again after SIGUSR1: give it the resolver as soon as there is
  /// one, and null before the resolver goes. Valid as long as the sinks.
  std::function<void(io::Resolver*)> use_resolver;
};

/// Opens all of them. Files are opened and their writer processes started here, so call it after becoming a
/// daemon, before giving up root and before anything is worth not being inherited; it may block (name
/// look-up, disks). stderr is written to as well, or, when it leads into the journal, the journal instead.
///
/// Errors name the option and the file or address; nothing stays open after one.
Result<Logs> open_log_sinks(const LogOptions& options);

}  // namespace wsproxy::daemon
