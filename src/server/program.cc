#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "config/config_file.h"
#include "config/help.h"
#include "config/load.h"
#include "daemon/daemonize.h"
#include "daemon/hardening.h"
#include "daemon/log_sinks.h"
#include "daemon/pid_file.h"
#include "daemon/privileges.h"
#include "daemon/systemd.h"
#include "io/resolver.h"
#include "io/signals.h"
#include "server/server.h"
#include "server/settings.h"
#include "server/version.h"

namespace wsproxy::server {
namespace {

// sysexits.h has the last one, and service managers show it by that name
constexpr int kOk = 0;
constexpr int kFailure = 1;
constexpr int kUsage = 2;
constexpr int kConfig = 78;

using Arguments = std::span<const char* const>;

// Output that somebody waits for: a full disk or closed pipe is an error like any other.
int print(const std::string& text) {
  const bool written = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  if (!written) std::perror("wsproxy: cannot write to standard output");
  return written ? kOk : kFailure;
}

// A service manager may start us with some of 0, 1 and 2 closed. The next sockets would take their place,
// and log lines would end up at a browser.
void fill_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
  }
}

// Before an upgrade replaces the file: afterwards the link's text ends in " (deleted)".
std::string own_path() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).string();
}

int report(const Error& error, const std::string& program = "wsproxy") {
  std::fprintf(stderr, "wsproxy: %s\n", log::printable(error.message()).c_str());
  if (error.code == Errc::Config) return kConfig;
  if (error.code != Errc::Usage) return kFailure;
  std::fprintf(stderr, "Usage: %s\nTry '%s --help'.\n", config::usage_line(program).c_str(),
               program.c_str());
  return kUsage;
}

// Where relative paths start, also for a reload after the daemon has gone to "/". A path and no
// descriptor, which would be a way out of a chroot.
class StartDirectory {
 public:
  StartDirectory() : path_(std::filesystem::current_path(ignored_)) {}

  template <typename Work>
  auto within(Work work) const {
    std::error_code error;
    const auto now = std::filesystem::current_path(error);
    const bool moved = !error && now != path_ && ::chdir(path_.c_str()) == 0;
    auto result = work();
    if (moved) (void)!::chdir(now.c_str());
    return result;
  }

  // The paths of `config` as they are for a process that has left.
  void make_absolute(config::Config& config) const {
    for (std::string config::Config::* member :
         {&config::Config::key_password_file, &config::Config::cafile,
          &config::Config::ssl_target_ca, &config::Config::ssl_target_cert,
          &config::Config::ssl_target_key, &config::Config::web}) {
      config.*member = absolute(config.*member);
    }
    for (std::vector<std::string>* paths : {&config.cert, &config.key, &config.ocsp}) {
      for (std::string& path : *paths) path = absolute(path);
    }
    constexpr std::string_view kUnix = "unix:";
    if (config.target.starts_with(kUnix)) {
      config.target = std::string(kUnix) + absolute(config.target.substr(kUnix.size()));
    }
  }

 private:
  [[nodiscard]] std::string absolute(const std::string& path) const {
    return path.empty() || path_.empty() ? path : (path_ / path).string();
  }

  std::error_code ignored_;
  std::filesystem::path path_;
};

// The configuration with the limits that hold on this machine.
Result<config::Config> load(Arguments arguments, bool sockets_passed, std::uint64_t descriptors) {
  auto config = config::load(arguments, sockets_passed);
  if (!config || config->help || config->version) return config;
  const auto most =
      daemon::session_limit(static_cast<std::size_t>(config->max_sessions), descriptors);
  if (!most) return std::unexpected(most.error());
  config->max_sessions = static_cast<int>(*most);
  return config;
}

// Whom to become; nobody else without --user and --group.
Result<std::optional<daemon::Identity>> identity_of(const config::Config& config) {
  if (config.user.empty() && config.group.empty()) return std::nullopt;
  auto found = daemon::look_up_identity(config.user, config.group);
  if (!found) return std::unexpected(found.error().in("--user"));
  return std::move(*found);
}

daemon::LogOptions log_options(const config::Config& config) {
  daemon::LogOptions options;
  options.json = config.log_format == "json";
  options.file = config.log_file;
  options.syslog = config.syslog;
  options.legacy_syslog = config.legacy_syslog;
  options.daemonized = config.daemon;
  options.access_file = config.access_log;
  return options;
}

// A log has the server's resolver, and never after it is gone.
class ResolverLoan {
 public:
  ResolverLoan(std::function<void(io::Resolver*)>& use, io::Resolver& resolver) : use_(use) {
    if (use_) use_(&resolver);
  }
  ~ResolverLoan() {
    if (use_) use_(nullptr);
  }
  ResolverLoan(const ResolverLoan&) = delete;
  ResolverLoan& operator=(const ResolverLoan&) = delete;

 private:
  std::function<void(io::Resolver*)>& use_;
};

// From the configuration to the end. What goes wrong is said by the caller, on the standard error that a
// process waiting for the daemon shares with it.
Result<int> serve(Startup startup) {
  const config::Config config = startup.config;
  const auto found = identity_of(config);
  if (!found) return std::unexpected(found.error());
  const std::optional<daemon::Identity>& identity = *found;
  const auto in_helper = [identity = *found]() -> Status {
    if (identity) {
      if (const Status dropped = daemon::drop_privileges(*identity, ""); !dropped) return dropped;
    }
    return daemon::forbid_tracing();
  };
  if (const Status status = daemon::forbid_core_dumps(); !status) {
    return std::unexpected(status.error());
  }

  daemon::ReadyPipe waiting;
  if (config.daemon) {
    auto pipe = daemon::daemonize();
    if (!pipe) return std::unexpected(pipe.error());
    waiting = std::move(*pipe);
  }
  std::optional<daemon::PidFile> pid_file;
  if (!config.pid_file.empty()) {
    const uid_t user = identity ? identity->uid : ::geteuid();
    auto file = daemon::PidFile::create(config.pid_file, user);
    if (!file) return std::unexpected(file.error());
    pid_file = std::move(*file);
  }

  startup.sandbox = std::make_shared<Sandbox>(config, in_helper);
  startup.spawner = std::make_shared<io::Spawner>();
  const std::shared_ptr<Sandbox> sandbox = startup.sandbox;
  daemon::LogOptions options = log_options(config);
  options.after_fork = sandbox->for_logs();
  options.spawner = startup.spawner;
  if (identity) options.owner = daemon::FileOwner{identity->uid, identity->gid};
  auto logs = daemon::open_log_sinks(options);
  if (!logs) return std::unexpected(logs.error());
  log::set_sinks(std::move(logs->sinks));
  log::set_level(log_level(config));
  if (logs->access) {
    const auto format = config.access_format == "json" ? session::AccessLog::Format::Json
                                                       : session::AccessLog::Format::Combined;
    startup.access_log = std::make_unique<session::AccessLog>(std::move(logs->access), format);
  }

  auto server = Server::create(std::move(startup));
  if (!server) return std::unexpected(server.error());
  sandbox->before_chroot();
  if (identity) {
    if (pid_file && !config.chroot.empty()) pid_file->leave_directory();
    const Status dropped = daemon::drop_privileges(*identity, config.chroot);
    if (!dropped) return std::unexpected(dropped.error());
  }
  if (const Status status = daemon::forbid_tracing(); !status) {
    return std::unexpected(status.error());
  }

  log_warnings(config.warnings);
  if (const std::string warning = daemon::root_warning(); !warning.empty()) {
    log::warning("%s", warning.c_str());
  }
  const ResolverLoan loan(logs->use_resolver, (*server)->resolver());
  if (const Status status = (*server)->start_program(); !status) {
    return std::unexpected(status.error());
  }
  (*server)->confine();
  print((*server)->ready_text());  // nobody reading it is no reason not to serve
  if (const Status status = waiting.ready(); !status) return std::unexpected(status.error());
  return (*server)->run();
}

// --check: all that a start would look at, but nothing is opened that a running daemon has open.
int check(const config::Config& config) {
  if (const auto identity = identity_of(config); !identity) return report(identity.error());
  if (const auto settings = make_settings(config); !settings) return report(settings.error());
  if (const auto tls = load_tls_to_target(config); !tls) return report(tls.error());
  if (const Status addresses = check_addresses(config); !addresses) {
    return report(addresses.error());
  }
  if (const Status directories = check_directories(config); !directories) {
    return report(directories.error());
  }
  for (const std::string& warning : config.warnings) {
    std::fprintf(stderr, "wsproxy: %s\n", log::printable(warning).c_str());
  }
  return print("the configuration is good\n");
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  const std::span all(argv, static_cast<std::size_t>(argc));
  const Arguments given = all.subspan(all.empty() ? 0 : 1);
  fill_standard_descriptors();
  // they wait for the loop: whoever starts us may ask for a reload at once, which would end us
  io::hold_signals({SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT});
  // without it (Linux before 5.11) programs that we start close what they get themselves
  (void)daemon::pass_on_no_descriptors();
  std::string path = own_path();
  auto sockets = daemon::passed_sockets();
  if (!sockets) return report(sockets.error());
  auto predecessor = daemon::Predecessor::from_environment();
  if (!predecessor) return report(predecessor.error());
  for (daemon::InheritedSocket& socket : predecessor->sockets()) {
    if (socket.listen == "systemd") sockets->push_back({std::move(socket.fd), socket.name});
  }
  const bool sockets_passed = !sockets->empty();
  const auto descriptors = daemon::raise_descriptor_limit();
  if (!descriptors) return report(descriptors.error());

  // main()'s own are overwritten where they hold a secret, and a reload reads them again
  auto arguments = std::make_shared<const std::vector<std::string>>(given.begin(), given.end());
  auto reread = [arguments, sockets_passed, limit = *descriptors,
                 start = std::make_shared<const StartDirectory>()] {
    std::vector<const char*> pointers;
    for (const std::string& argument : *arguments) pointers.push_back(argument.c_str());
    auto config = start->within([&] { return load(pointers, sockets_passed, limit); });
    if (config && config->daemon) start->make_absolute(*config);
    return config;
  };
  const std::string program = config::program_name(all.empty() ? nullptr : all[0]);
  auto config = reread();
  if (!config) return report(config.error(), program);
  if (config->help) return print(config::help_text(program));
  if (config->version) return print(std::string("wsproxy ") + kVersion + "\n");
  if (config->dump_config) return print(config::dump_config(*config));
  if (config->check) return check(*config);
  if (!config->key_password.empty()) daemon::hide_argument(given, config->key_password);

  Startup startup;
  startup.config = std::move(*config);
  startup.sockets = std::move(*sockets);
  startup.predecessor = std::move(*predecessor);
  startup.program = std::move(path);
  startup.arguments.emplace_back(all.empty() ? "wsproxy" : all[0]);
  startup.arguments.insert(startup.arguments.end(), arguments->begin(), arguments->end());
  startup.reread = std::move(reread);
  if (auto notifier = daemon::Notifier::from_environment()) {
    startup.notifier = std::move(*notifier);
  } else {
    log::warning("%s", notifier.error().message().c_str());
  }
  startup.watchdog = daemon::watchdog_interval();
  const auto exit_status = serve(std::move(startup));
  return exit_status ? *exit_status : report(exit_status.error());
}

}  // namespace wsproxy::server
