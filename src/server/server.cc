#include "server/server.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "config/options.h"
#include "io/plain_stream.h"
#include "server/settings.h"
#include "server/wrap.h"

namespace wsproxy::server {
namespace {

using std::chrono::seconds;

// SIGTERM: clients have this long to answer our Close, and longer only while something still moves.
constexpr auto kStopTick = seconds(1);

std::string name_of(int signal) { return std::string("SIG") + sigabbrev_np(signal); }

std::string count(std::size_t n, const std::string& what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

}  // namespace

Server::Server(Startup startup)
    : startup_(std::move(startup)),
      loop_(clock_),
      signals_(loop_, {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT},
               [this](int signal) { on_signal(signal); }),
      resolver_(loop_, startup_.sandbox->for_look_ups(), startup_.spawner),
      dialer_(loop_, resolver_),
      wrapped_dialer_(loop_, dialer_),
      pool_(kBlockBytes),
      scratch_(std::make_unique_for_overwrite<std::byte[]>(kBlockBytes)),
      log_limits_(loop_),
      listeners_(loop_,
                 [this](UniqueFd fd, const SocketAddress& from) { accept(std::move(fd), from); }),
      status_(
          loop_, [this] { return status_text(); },
          [this](const std::string& text) { startup_.notifier.status(text); }),
      session_lines_(loop_),
      lifetime_(loop_.timers(),
                [this] {
                  log::info("--timeout: no new connections, %s left",
                            count(sessions_.size(), "connection").c_str());
                  listeners_.stop();
                  ending_ = Ending::WithLastSession;
                  end_if_all_left();
                }),
      idle_(loop_.timers(), [this] { stop("--idle-timeout"); }),
      stop_tick_(loop_.timers(), [this] { cut_stuck(); }),
      stop_limit_(loop_.timers(), [this] { stop_now(); }),
      admission_(
          clock_, [this] { session_left(); }, [this] { tell_status(); }),
      sessions_(
          {loop_, wrapped_dialer_, admission_, pool_, MutableBytes(scratch_.get(), kBlockBytes),
           &log_limits_, startup_.access_log.get(), &pipes_},
          [this] { all_left(); }) {}

Server::~Server() { ending_ = Ending::Now; }  // the end of a session asks for nothing any more

Result<std::unique_ptr<Server>> Server::create(Startup startup) {
  std::unique_ptr<Server> server(new Server(std::move(startup)));
  if (const Status status = server->prepare(); !status) return std::unexpected(status.error());
  return server;
}

Status Server::prepare() {
  std::shared_ptr<session::Recorder> recorder;
  if (const std::string& file = startup_.config.record; !file.empty()) {
    auto started =
        session::Recorder::start(loop_, file, startup_.sandbox->for_recordings(), startup_.spawner);
    if (!started) return std::unexpected(started.error().in("--record"));
    recorder = std::move(*started);
  }
  // what keys are not to be in is forked by now
  if (const Status status = prepare_programs(); !status) return status;
  certificates_ = watch(startup_.config);
  auto settings = settings_of(startup_.config);
  if (!settings) return std::unexpected(settings.error());
  (*settings)->recorder = std::move(recorder);
  settings_ = std::move(*settings);
  return listeners_.open(config(), std::move(startup_.sockets), startup_.predecessor);
}

// From here on it is the starter that forks, if there is going to be a sandbox.
Status Server::prepare_programs() {
  if (!startup_.config.wrap.empty()) {
    auto program = make_wrapped(
        loop_, startup_.config, [this](int status) { program_ended(status); }, startup_.spawner);
    if (!program) return std::unexpected(program.error());
    program_ = std::move(*program);
  }
  if (startup_.notifier.active()) {
    daemon::SuccessorOptions options;
    options.program = startup_.program;
    options.arguments = startup_.arguments;
    options.environment = {{"NOTIFY_SOCKET", startup_.notifier.address()}};
    if (startup_.watchdog) {
      options.environment.emplace_back("WATCHDOG_USEC", std::to_string(startup_.watchdog->count()));
    }
    successor_starter_.emplace(std::move(options), startup_.spawner);
  }
  file_reader_.emplace(startup_.reread, startup_.spawner);
  if (!startup_.sandbox->is_on()) return {};
  return startup_.spawner->start(startup_.sandbox->for_starter(program_ || successor_starter_));
}

Result<std::shared_ptr<session::Settings>> Server::settings_of(const config::Config& config) {
  const auto readable = file_reader_->readable(config);
  if (!readable) return std::unexpected(readable.error());
  auto settings = make_settings(readable->config, ticket_keys_);
  if (!settings) return std::unexpected(readable->in_their_words(settings.error()));
  (*settings)->config = config;
  auto tls = load_tls_to_target(readable->config);
  if (!tls) return std::unexpected(readable->in_their_words(tls.error()));
  if (*tls) {
    (*settings)->dialer = std::make_shared<tls::TlsDialer>(loop_, wrapped_dialer_, std::move(*tls));
  }
  return settings;
}

Result<std::shared_ptr<const tls::TlsContext>> Server::load_certificates() {
  const auto readable = file_reader_->readable(config());
  if (!readable) return std::unexpected(readable.error());
  auto tls = load_tls(readable->config, ticket_keys_);
  if (!tls) return std::unexpected(readable->in_their_words(tls.error()));
  return tls;
}

Status Server::start_program() {
  if (!program_) return {};
  const std::uint16_t port = listeners_.first_port();
  if (port == 0) return fail(Errc::Usage, "a program behind -- needs a TCP port to listen on");
  if (const Status status = program_->start(port); !status) return status;
  program_left_ = false;
  wrapped_dialer_.wrap(program_->target(), [this] { return program_->starting(); });
  auto settings = std::make_shared<session::Settings>(*settings_);
  settings->target = program_->target();
  settings_ = std::move(settings);
  return {};
}

std::string Server::ready_text() const {
  return listeners_.ready_text(settings_->target.to_string(), settings_->tls != nullptr);
}

int Server::run() {
  listeners_.configure(config());
  listeners_.start();
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

void Server::accept(UniqueFd fd, const SocketAddress& from) {
  std::string peer = io::peer_name(fd.get(), from);
  const session::ClientKey client(from);
  auto visit = admission_.arrive(client, settings_->limits_of(client).connections);
  if (!visit) {
    if (log_limits_.turned_away.allow()) {
      log::info("[%s] turned away: %s", peer.c_str(), session::describe(visit.error()));
    }
    return;
  }
  idle_.cancel();
  renew_certificates();
  sessions_.begin(std::make_unique<io::PlainStream>(std::move(fd)), std::move(peer), settings_,
                  std::move(*visit));
  tell_status();
}

void Server::session_left() {
  tell_status();
  if (config().run_once && ending_ != Ending::Now) stop("--run-once: its session has ended");
}

void Server::all_left() {
  tell_status();
  if (ending_ != Ending::None) return end_if_all_left();
  if (config().idle_timeout > seconds(0)) idle_.arm(config().idle_timeout);
}

// Working the text out takes a walk over all sessions.
void Server::tell_status() {
  if (startup_.notifier.active()) status_.changed();
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
        log::info("%s: ending at once", name_of(signal).c_str());
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
  if (const Status status = startup_.sandbox->reaches(*next); !status) return status;
  if (next->config.empty() && !config().config.empty()) {
    return fail(Errc::NotFound, config().config + ", which was read at the start, is gone");
  }
  const std::vector<std::string_view> kept = config::keep_until_restart(config(), *next);
  // the watch in use stays until all is well: it knows which certificate we have
  auto certificates = watch(*next);
  auto settings = settings_of(*next);
  if (!settings) return std::unexpected(settings.error());
  (*settings)->recorder = settings_->recorder;
  if (program_) (*settings)->target = program_->target();
  const auto before = settings_;
  certificates_ = std::move(certificates);
  settings_ = std::move(*settings);

  listeners_.configure(config());
  log::set_level(log_level(config()));
  log_changes(before->config, config(), kept);
  return {};
}

std::unique_ptr<tls::CertificateWatch> Server::watch(const config::Config& next) {
  return watch_certificates(clock_, next, [this] { return load_certificates(); });
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
  auto started =
      daemon::Successor::start(loop_, *successor_starter_, listeners_.handed(),
                               [this](const Result<pid_t>& successor) { handed_over(successor); });
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
  listeners_.leave();
  lifetime_.cancel();
  idle_.cancel();
  if (ending_ == Ending::None) ending_ = Ending::WithLastSession;
  if (sessions_.size() == 0) loop_.stop();
}

void Server::log_sessions() {
  auto lines = sessions_.summaries();
  log::info("SIGQUIT: %s, %s, %s over a limit since the start",
            count(admission_.present(), "session").c_str(),
            count(lines.size(), "connection").c_str(),
            count(admission_.turned_away(), "connection").c_str());
  session_lines_.log(std::move(lines));
}

// --- the end ---

void Server::stop(const std::string& why) {
  log::info("%s: stopping, %s", why.c_str(), count(admission_.present(), "session").c_str());
  ending_ = Ending::Now;
  successor_.reset();
  startup_.notifier.stopping();
  startup_.notifier.extend_timeout(config().drain_timeout + seconds(5));
  tell_status();
  lifetime_.cancel();
  idle_.cancel();
  listeners_.stop();
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
