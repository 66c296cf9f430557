#include "server/server.h"

#include <sys/socket.h>
#include <algorithm>

#include <csignal>
#include <utility>

#include "base/log.h"
#include "config/listen_address.h"
#include "config/options.h"
#include "io/plain_stream.h"
#include "server/settings.h"
#include "server/version.h"

namespace wsproxy::server {
namespace {

using std::chrono::seconds;

// SIGTERM: clients have this long to answer our Close, and longer only while something still moves.
constexpr auto kStopTick = seconds(1);

// So many lines fit into a pipe of 64 KiB; its reader gets a moment before the next ones.
constexpr std::size_t kLinesAtOnce = 100;
constexpr auto kLinesEvery = std::chrono::milliseconds(20);

// Of a program behind --, which has not asked for the limit that we have raised for ourselves: beyond
// 1,024, programs that use select() break.
constexpr std::uint64_t kProgramDescriptors = 1024;

daemon::WrapMode wrap_mode(const config::Config& config) {
  if (config.wrap_mode == "ignore") return daemon::WrapMode::Ignore;
  return config.wrap_mode == "respawn" ? daemon::WrapMode::Respawn : daemon::WrapMode::Exit;
}

const char* name_of(int signal) {
  switch (signal) {
    case SIGTERM: return "SIGTERM";
    case SIGINT: return "SIGINT";
    case SIGHUP: return "SIGHUP";
    case SIGUSR1: return "SIGUSR1";
    case SIGUSR2: return "SIGUSR2";
    case SIGQUIT: return "SIGQUIT";
    default: return "signal";
  }
}

std::string url_of(const SocketAddress& address, bool tls) {
  const std::string host = address.is_wildcard() ? "localhost" : address.host();
  return std::string(tls ? "https://" : "http://") + host + ":" + std::to_string(address.port()) +
         "/";
}

std::string count(std::size_t n, const std::string& what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

}  // namespace

Server::Server(Startup startup)
    : startup_(std::move(startup)),
      loop_(clock_),
      signals_(loop_, {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT},
               [this](int signal) { on_signal(signal); }),
      resolver_(loop_, startup_.in_helper),
      dialer_(loop_, resolver_),
      wrapped_dialer_(loop_, dialer_),
      pool_(kBlockBytes),
      scratch_(std::make_unique_for_overwrite<std::byte[]>(kBlockBytes)),
      log_limits_(loop_),
      status_(
          loop_, [this] { return status_text(); },
          [this](const std::string& text) { startup_.notifier.status(text); }),
      session_lines_timer_(loop_.timers(), [this] { log_some_sessions(); }),
      lifetime_(loop_.timers(),
                [this] {
                  log::info("--timeout: no new connections, %s left",
                            count(sessions_.size(), "connection").c_str());
                  stop_listening();
                  ending_ = Ending::WithLastSession;
                  end_if_all_left();
                }),
      idle_(loop_.timers(), [this] { stop("--idle-timeout"); }),
      stop_tick_(loop_.timers(), [this] { cut_stuck(); }),
      stop_limit_(loop_.timers(), [this] { stop_now(); }),
      admission_([this] { session_left(); }, [this] { status_.changed(); }),
      sessions_(
          {loop_, wrapped_dialer_, admission_, pool_, MutableBytes(scratch_.get(), kBlockBytes),
           &log_limits_, startup_.access_log.get()},
          [this] { all_left(); }) {}

Server::~Server() {
  ending_ = Ending::Now;  // the end of a session asks for nothing any more
}

Result<std::unique_ptr<Server>> Server::create(Startup startup) {
  std::unique_ptr<Server> server(new Server(std::move(startup)));
  if (const Status status = server->prepare(); !status) return std::unexpected(status.error());
  return server;
}

Status Server::prepare() {
  std::shared_ptr<session::Recorder> recorder;
  if (const std::string& file = startup_.config.record; !file.empty()) {
    auto started =
        session::Recorder::start(loop_, file, startup_.in_helper);  // before there are keys
    if (!started) return std::unexpected(started.error().in("--record"));
    recorder = std::move(*started);
  }
  certificates_ = watch_of(startup_.config);
  auto settings = make_settings(startup_.config, ticket_keys_);
  if (!settings) return std::unexpected(settings.error());
  (*settings)->recorder = std::move(recorder);
  take(std::move(*settings));
  return listen();
}

Status Server::start_program() {
  if (config().wrap.empty()) return {};
  daemon::WrapOptions options;
  options.argv = config().wrap;
  options.mode = wrap_mode(config());
  options.descriptors = kProgramDescriptors;
  for (const auto& listener : listeners_) {
    if (options.old_port == 0) options.old_port = listener->address().port();
  }
  if (options.old_port == 0) {
    return fail(Errc::Usage, "a program behind -- needs a TCP port to listen on");
  }
  auto rebind = daemon::find_rebind();
  if (!rebind) return std::unexpected(rebind.error());
  options.rebind = std::move(*rebind);
  program_ = std::make_unique<daemon::WrappedProgram>(
      loop_, std::move(options), [this](int status) { program_ended(status); });
  if (const Status status = program_->start(); !status) return status;
  program_left_ = false;
  wrapped_dialer_.wrap(program_->target(), [this] { return program_->starting(); });
  auto settings = std::make_shared<session::Settings>(*settings_);
  settings->target = program_->target();
  settings_ = std::move(settings);
  return {};
}

Status Server::listen() {
  for (const std::string& where : config().listen) {
    if (const Status status = listen_on(where); !status) return status;
  }
  if (!startup_.sockets.empty()) {
    log::warning("%s of the service manager left alone: --listen does not name systemd",
                 count(startup_.sockets.size(), "socket").c_str());
    startup_.sockets.clear();
  }
  return {};
}

Status Server::listen_on(const std::string& where) {
  if (listen_on_inherited(where)) return {};
  const auto address = config::parse_listen_address(where);
  if (!address) return std::unexpected(address.error());
  switch (address->kind) {
    case config::ListenAddress::Kind::Tcp: {
      auto sockets = io::listen_on(address->tcp);
      if (!sockets) return std::unexpected(sockets.error());
      for (UniqueFd& socket : *sockets) add_listener(std::move(socket), where);
      return {};
    }
    case config::ListenAddress::Kind::Unix: {
      auto listener = io::listen_on_unix(address->path, config().unix_listen_mode.bits);
      if (!listener) return std::unexpected(listener.error());
      add_listener(std::move(listener->socket), where, std::move(listener->file));
      return {};
    }
    case config::ListenAddress::Kind::Descriptor: {
      auto socket = io::adopt_listener(address->fd);
      if (!socket) return std::unexpected(socket.error());
      add_listener(std::move(*socket), where);
      return {};
    }
    case config::ListenAddress::Kind::Systemd:
      if (startup_.sockets.empty()) {
        return fail(Errc::NotFound, "--listen systemd: the service manager has passed no sockets");
      }
      for (daemon::PassedSocket& socket : startup_.sockets) {
        add_listener(std::move(socket.fd), where, {}, socket.name);
      }
      startup_.sockets.clear();
      return {};
  }
  return {};
}

// A predecessor's, and the file of a Unix socket with it: its name is ours to remove from now on.
bool Server::listen_on_inherited(const std::string& where) {
  bool found = false;
  for (daemon::InheritedSocket& socket : startup_.predecessor.sockets()) {
    if (!socket.fd || socket.listen != where) continue;
    io::SocketFile file;
    const auto address = config::parse_listen_address(where);
    if (address && address->kind == config::ListenAddress::Kind::Unix) {
      auto owned = io::SocketFile::own(address->path);
      if (owned) {
        file = std::move(*owned);
      } else {
        log::warning("%s", owned.error().message().c_str());
      }
    }
    add_listener(std::move(socket.fd), where, std::move(file));
    found = true;
  }
  return found;
}

void Server::add_listener(UniqueFd socket, const std::string& where, io::SocketFile file,
                          const std::string& name) {
  handed_.push_back({.fd = socket.get(), .listen = where, .name = name});
  listeners_.push_back(std::make_unique<io::Listener>(
      loop_, std::move(socket), [this](UniqueFd fd) { accept(std::move(fd)); }, std::move(file)));
}

// The files are looked at before they are read, so that no change falls in between.
std::unique_ptr<tls::CertificateWatch> Server::watch_of(const config::Config& config) {
  if (config.cert.empty()) return nullptr;
  std::vector<std::string> files = config.cert;
  files.insert(files.end(), config.key.begin(), config.key.end());
  for (const std::string* file : {&config.key_password_file, &config.cafile}) {
    if (!file->empty()) files.push_back(*file);
  }
  return std::make_unique<tls::CertificateWatch>(clock_, std::move(files), config.ocsp, [this] {
    return load_tls(this->config(), ticket_keys_);
  });
}

std::string Server::ready_text() const {
  std::string text;
  for (const auto& listener : listeners_) {
    const SocketAddress address = listener->address();
    text += std::string("wsproxy ") + kVersion + " ready: " + address.to_string() + " -> " +
            settings_->target.to_string() + "\n";
    if (address.family() == AF_UNIX) continue;  // no browser gets there by itself
    text += "open " + url_of(address, settings_->tls != nullptr) + "\n";
  }
  return text;
}

int Server::run() {
  for (const auto& listener : listeners_) listener->start();
  if (config().timeout > seconds(0)) lifetime_.arm(config().timeout);
  if (config().idle_timeout > seconds(0)) idle_.arm(config().idle_timeout);
  startup_.predecessor.take_over();  // before the service manager is told anything
  if (startup_.watchdog) {
    watchdog_ = std::make_unique<daemon::Watchdog>(loop_, startup_.notifier, *startup_.watchdog);
  }
  startup_.notifier.ready(status_text());
  loop_.run();
  return exit_status_;
}

// --- sessions come and go ---

void Server::accept(UniqueFd fd) {
  io::tune_tcp(fd.get());
  std::string peer = io::peer_name(fd.get());
  idle_.cancel();
  renew_certificates();
  sessions_.begin(std::make_unique<io::PlainStream>(std::move(fd)), std::move(peer), settings_);
  status_.changed();
}

void Server::session_left() {
  status_.changed();
  if (config().run_once && ending_ != Ending::Now) stop("--run-once: its session has ended");
}

void Server::all_left() {
  status_.changed();
  if (ending_ != Ending::None) return end_if_all_left();
  if (config().idle_timeout > seconds(0)) idle_.arm(config().idle_timeout);
}

std::string Server::status_text() const {
  const std::size_t ending = sessions_.ending();
  std::string text = count(admission_.present(), "session");
  if (ending > 0) text += ", " + std::to_string(ending) + " draining";
  if (ending_ == Ending::WithLastSession) text += "; no new ones";
  if (ending_ == Ending::Now) text += "; stopping";
  if (!reload_failure_.empty())
    text += "; reload failed, the old configuration stays: " + reload_failure_;
  return text;
}

// --- signals ---

void Server::on_signal(int signal) {
  switch (signal) {
    case SIGHUP: return reload();
    case SIGUSR1:
      log::reopen();
      if (startup_.access_log) startup_.access_log->reopen();
      log::info("SIGUSR1: log files opened again");
      return;
    case SIGUSR2: return hand_over();
    case SIGQUIT: return log_sessions();
    default:
      if (ending_ == Ending::Now) {  // asked twice
        log::info("%s: ending at once", name_of(signal));
        return stop_now();
      }
      stop(name_of(signal));
  }
}

void Server::reload() {
  if (ending_ == Ending::Now) {
    log::info("SIGHUP: nothing to reload for, we are stopping");
    return;
  }
  log::info("SIGHUP: reading the configuration again");
  startup_.notifier.reloading();
  const Status reloaded = use_new_configuration();
  reload_failure_ = reloaded ? std::string() : reloaded.error().message();
  if (!reloaded) {
    log::error("reload failed, the old configuration stays: %s", reload_failure_.c_str());
  }
  startup_.notifier.ready(status_text());
}

// For new sessions; those that live keep what they began with. After an error nothing has changed.
Status Server::use_new_configuration() {
  auto next = startup_.reread();
  if (!next) return std::unexpected(next.error());
  if (next->config.empty() && !config().config.empty()) {
    return fail(Errc::NotFound, config().config + ", which was read at the start, is gone");
  }
  const std::vector<std::string_view> kept = config::keep_until_restart(config(), *next);
  // the watch in use stays until all is well: it knows which certificate we have
  auto certificates = watch_of(*next);
  auto settings = make_settings(*next, ticket_keys_);
  if (!settings) return std::unexpected(settings.error());
  (*settings)->recorder = settings_->recorder;
  if (program_) (*settings)->target = program_->target();
  const auto before = settings_;
  certificates_ = std::move(certificates);
  take(std::move(*settings));

  log::set_level(log_level(config()));
  std::string changed;
  for (const config::Change& change : config::describe_changes(before->config, config())) {
    changed += (changed.empty() ? "" : ", ") + std::string(change.option);
  }
  std::string later;
  for (const std::string_view name : kept) {
    later += (later.empty() ? "" : ", ") + std::string(name);
  }
  if (!later.empty()) log::warning("a restart is needed to change: %s", later.c_str());
  log::info("reloaded: %s", changed.empty() ? "certificates and keys; no option has changed"
                                            : ("changed for new sessions: " + changed).c_str());
  return {};
}

void Server::take(std::shared_ptr<session::Settings> settings) {
  if (settings->tls_to_target) {
    settings->dialer =
        std::make_shared<tls::TlsDialer>(loop_, wrapped_dialer_, settings->tls_to_target);
  }
  settings_ = std::move(settings);
}

void Server::renew_certificates() {
  if (!certificates_) return;
  auto renewed = certificates_->renewed();
  if (!renewed) return;
  auto settings = std::make_shared<session::Settings>(*settings_);
  settings->tls = std::move(renewed);
  settings_ = std::move(settings);
}

// --- a successor ---

// Only systemd takes another process for the main one; supervisord or an init script would see us end, and
// start a second one.
std::string Server::why_not_hand_over() const {
  if (ending_ != Ending::None) return "this process is ending";
  if (successor_) return "that is under way";
  if (!startup_.notifier.active()) return "no service manager would know of the new process";
  if (config().daemon) return "--daemon would start it in the background";
  if (!config().pid_file.empty()) return "--pid-file names this process";
  if (!config().chroot.empty()) return "from inside a chroot no program can be started";
  if (!config().wrap.empty()) return "the program behind -- belongs to this process";
  return {};
}

void Server::hand_over() {
  if (const std::string why = why_not_hand_over(); !why.empty()) {
    log::error("SIGUSR2: no hand-over: %s", why.c_str());
    return;
  }
  daemon::SuccessorOptions options;
  options.program = startup_.program;
  options.arguments = startup_.arguments;
  options.sockets = handed_;
  options.environment = {{"NOTIFY_SOCKET", startup_.notifier.address()}};
  if (startup_.watchdog) {
    options.environment.emplace_back("WATCHDOG_USEC", std::to_string(startup_.watchdog->count()));
  }
  auto started = daemon::Successor::start(
      loop_, options, [this](const Result<pid_t>& successor) { handed_over(successor); });
  if (!started) return handed_over(std::unexpected(started.error()));
  successor_ = std::move(*started);
  log::info("SIGUSR2: starting %s to hand over to", startup_.program.c_str());
}

void Server::handed_over(const Result<pid_t>& successor) {
  if (!successor) {
    log::error("no hand-over, this process goes on: %s", successor.error().message().c_str());
    successor_.reset();
    return;
  }
  if (!successor_) return;  // we were told to stop meanwhile, and so was it
  startup_.notifier.main_process(*successor);
  successor_->confirm();
  successor_.reset();
  // The service manager would take what we say for the successor's.
  watchdog_.reset();
  startup_.notifier = {};
  log::info("handed over to process %d; this one ends with its last session of %s",
            static_cast<int>(*successor), count(admission_.present(), "session").c_str());
  for (const auto& listener : listeners_) listener->leave();
  lifetime_.cancel();
  idle_.cancel();
  if (ending_ == Ending::None) ending_ = Ending::WithLastSession;
  if (sessions_.size() == 0) loop_.stop();
}

void Server::log_sessions() {
  session_lines_ = sessions_.summaries();
  log::info("SIGQUIT: %s, %s", count(admission_.present(), "session").c_str(),
            count(session_lines_.size(), "connection").c_str());
  std::ranges::reverse(session_lines_);
  log_some_sessions();
}

void Server::log_some_sessions() {
  for (std::size_t i = 0; i < kLinesAtOnce && !session_lines_.empty(); ++i) {
    log::info("%s", session_lines_.back().c_str());
    session_lines_.pop_back();
  }
  if (!session_lines_.empty()) session_lines_timer_.arm(kLinesEvery);
}

// --- the end ---

void Server::stop_listening() {
  for (const auto& listener : listeners_) listener->stop();
}

void Server::stop(const std::string& why) {
  log::info("%s: stopping, %s", why.c_str(), count(admission_.present(), "session").c_str());
  ending_ = Ending::Now;
  successor_.reset();
  startup_.notifier.stopping();
  startup_.notifier.extend_timeout(config().drain_timeout + seconds(5));
  status_.changed();
  lifetime_.cancel();
  idle_.cancel();
  stop_listening();
  sessions_.shut_down();  // before the program ends: their Close says why
  if (program_ && !program_left_) {
    program_->stop(config().drain_timeout, [this] {
      program_left_ = true;
      end_if_all_left();
    });
  }
  stop_tick_.arm(kStopTick);
  stop_limit_.arm(config().drain_timeout);
  end_if_all_left();
}

void Server::end_if_all_left() {
  if (sessions_.size() > 0) return;
  if (program_left_) return loop_.stop();
  if (ending_ != Ending::Now) stop("the last session has ended");
}

void Server::program_ended(int status) {
  if (wrap_mode(config()) != daemon::WrapMode::Exit) return;
  exit_status_ = status;
  stop(config().wrap.front() + " has ended");
}

void Server::cut_stuck() {
  sessions_.cut_stuck();
  stop_tick_.arm(kStopTick);
}

void Server::stop_now() {
  sessions_.cut();
  loop_.stop();
}

}  // namespace wsproxy::server
