// The daemon: listeners, sessions, the configuration that counts now, and the signals that change it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/successor.h"
#include "daemon/systemd.h"
#include "daemon/wrapped_dialer.h"
#include "daemon/wrapped_program.h"
#include "io/conduit.h"
#include "io/event_loop.h"
#include "io/resolver.h"
#include "io/signals.h"
#include "io/spawner.h"
#include "server/file_reader.h"
#include "server/listeners.h"
#include "server/sandbox.h"
#include "server/service_status.h"
#include "server/session_lines.h"
#include "session/access_log.h"
#include "session/log_limits.h"
#include "session/session_table.h"
#include "tls/certificate_watch.h"
#include "tls/ticket_keys.h"
#include "tls/tls_dialer.h"

namespace wsproxy::server {

/// What a server is made from.
struct Startup {
  config::Config config;
  std::vector<daemon::PassedSocket> sockets;  ///< from the service manager

  /// Reads the configuration again, for SIGHUP.
  std::function<Result<config::Config>()> reread;

  std::shared_ptr<Sandbox> sandbox;      ///< of helper processes too
  std::shared_ptr<io::Spawner> spawner;  ///< not started yet

  std::unique_ptr<session::AccessLog> access_log;  ///< null: none
  daemon::Notifier notifier;
  std::optional<std::chrono::microseconds> watchdog;  ///< the service manager's interval

  daemon::Predecessor predecessor;     ///< whose sockets we go on with
  std::string program;                 ///< the path that we were started from, for a successor
  std::vector<std::string> arguments;  ///< with argv[0], for the same
};

class Server {
 public:
  /// Prepares everything that can fail: certificate, web directory, target, then the listeners.
  /// Errors name the file or address. Nothing listens after a failure.
  static Result<std::unique_ptr<Server>> create(Startup startup);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Starts the program behind --, if there is one. After privileges were dropped. Errors name it.
  Status start_program();

  /// Enters the sandbox. After everything that opens or starts anything.
  void confine() { startup_.sandbox->enter(settings_->target); }

  /// What to print once it listens: a ready line and a URL to open for each listener.
  [[nodiscard]] std::string ready_text() const;

  [[nodiscard]] io::Resolver& resolver() { return resolver_; }

  /// Tells the service manager that connections are served, and serves: until SIGTERM or SIGINT, or what
  /// --run-once, --timeout or --idle-timeout say. The exit status.
  int run();

 private:
  explicit Server(Startup startup);
  Status prepare();
  Status prepare_programs();
  void accept(UniqueFd fd, const SocketAddress& from);
  Result<std::shared_ptr<session::Settings>> settings_of(const config::Config& config);
  void on_signal(int signal);
  void reload();
  Status use_new_configuration();
  Result<std::shared_ptr<const tls::TlsContext>> load_certificates();
  [[nodiscard]] std::unique_ptr<tls::CertificateWatch> watch(const config::Config& next);
  void renew_certificates();
  void hand_over();
  void handed_over(const Result<pid_t>& successor);
  [[nodiscard]] std::string why_not_hand_over() const;
  void log_sessions();
  void session_left();
  void all_left();
  void program_ended(int status);
  void end_if_all_left();
  void stop(const std::string& why);
  void cut_stuck();
  void stop_now();
  void tell_status();
  [[nodiscard]] std::string status_text() const;
  [[nodiscard]] const config::Config& config() const { return settings_->config; }

  // How the end comes: not at all, with the last session, or as soon as all have said goodbye.
  enum class Ending : std::uint8_t { None, WithLastSession, Now };

  static constexpr std::size_t kBlockBytes = std::size_t{64} * 1024;

  Startup startup_;
  SystemClock clock_;
  // kept over reloads, so that sessions resume after one
  std::shared_ptr<tls::TicketKeys> ticket_keys_ = std::make_shared<tls::TicketKeys>(clock_);
  io::EventLoop loop_;
  io::Signals signals_;
  io::Resolver resolver_;
  io::SocketDialer dialer_;
  daemon::WrappedDialer wrapped_dialer_;  // the same, but for a program that is starting
  BufferPool pool_;
  io::PipePool pipes_;
  std::unique_ptr<std::byte[]> scratch_;
  std::unique_ptr<tls::CertificateWatch> certificates_;
  std::shared_ptr<const session::Settings> settings_;
  session::LogLimits log_limits_;
  Listeners listeners_;
  std::unique_ptr<daemon::WrappedProgram> program_;
  bool program_left_ = true;  // nothing of it runs any more
  std::optional<FileReader> file_reader_;
  std::optional<daemon::SuccessorStarter> successor_starter_;
  std::unique_ptr<daemon::Successor> successor_;
  ServiceStatus status_;
  std::unique_ptr<daemon::Watchdog> watchdog_;
  std::string reload_failure_;  // the last reload's, for the status
  SessionLines session_lines_;
  io::Timer lifetime_;    // --timeout
  io::Timer idle_;        // --idle-timeout
  io::Timer stop_tick_;   // while stopping: ends those for which nothing moves
  io::Timer stop_limit_;  // while stopping: ends all
  Ending ending_ = Ending::None;
  int exit_status_ = 0;
  session::Admission admission_;
  session::SessionTable sessions_;  // last: a session that ends reports to much of what is above
};

/// The whole program but for main(): returns the exit status.
int run_program(int argc, const char* const* argv);

}  // namespace wsproxy::server
