#include "daemon/wrapped_program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace wsproxy::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kLongEnough = seconds(10);  // a run shorter than this is followed by a pause
constexpr Duration kFirstPause = milliseconds(250);
constexpr Duration kLongestPause = seconds(10);
constexpr auto kLogEvery = std::chrono::minutes(1);  // once the pause grows no more
constexpr auto kLookAgain = milliseconds(20);
constexpr int kPortTries = 16;
constexpr int kKillMilliseconds = 500;

// Addressed to wsproxy by its service manager; the program would take them for its own.
constexpr std::array<std::string_view, 6> kNotForTheProgram = {
    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};

Result<UniqueFd> hold(std::string_view host, std::uint16_t port) {
  const auto address = SocketAddress::numeric(host, port);
  UniqueFd fd(::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail(Errc::Io, "socket", errno);
  const int on = 1;
  if (address->family() == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), address->get(), address->length()) != 0) {
    return fail(Errc::Io, "bind", errno);
  }
  return fd;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

int exit_status(const siginfo_t& info) {
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

std::string describe(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return "with status " + std::to_string(info.si_status);
  const char* name = sigabbrev_np(info.si_status);
  return std::string("by SIG") + (name != nullptr ? name : std::to_string(info.si_status).c_str());
}

// What the daemon says to whoever starts the program: all else was known before.
struct Ports {
  std::uint16_t old_port;
  std::uint16_t new_port;
};

std::vector<std::string> environment(const std::string& rebind, const Ports& ports) {
  std::vector<std::string> out;
  std::string preload = "LD_PRELOAD=";
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (name == "LD_PRELOAD" && text.size() > preload.size()) {
      preload = std::string(text) + ":";
      continue;
    }
    if (name == "LD_PRELOAD" || name == "REBIND_OLD_PORT" || name == "REBIND_NEW_PORT") continue;
    if (std::ranges::find(kNotForTheProgram, name) == kNotForTheProgram.end()) {
      out.emplace_back(text);
    }
  }
  out.push_back(preload + rebind);
  out.push_back("REBIND_OLD_PORT=" + std::to_string(ports.old_port));
  out.push_back("REBIND_NEW_PORT=" + std::to_string(ports.new_port));
  return out;
}

// The new process, up to exec. Never returns. `order` has descriptors 0 to 2, and the one to write an
// error of exec to.
[[noreturn]] void run_child(const WrapOptions& options, const io::Spawner::Order& order) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != order.daemon) ::_exit(127);  // it died before it could tell us so

  Ports ports{};
  CHECK(order.text.size() == sizeof ports && order.fds.size() == 4);
  std::memcpy(&ports, order.text.data(), sizeof ports);
  auto arguments = options.argv;
  auto variables = environment(options.rebind, ports);
  const auto argv = pointers(arguments);
  const auto envp = pointers(variables);

  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);

  // Clear of 0 to 2, which may be among them. A standard descriptor that is closed stays so.
  const int errors = ::fcntl(order.fds[3].get(), F_DUPFD_CLOEXEC, 3);
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
    if (order.fds[static_cast<std::size_t>(fd)].get() != fd) {
      ::dup2(order.fds[static_cast<std::size_t>(fd)].get(), fd);
    }
  }
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0) {
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, STDIN_FILENO);
  }
  if (options.descriptors != 0) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(options.descriptors, limit.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);  // `errors` has to last until exec
  ::execvpe(argv[0], argv.data(), envp.data());
  const int error = errno;
  (void)!::write(errors, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

WrappedProgram::WrappedProgram(io::EventLoop& loop, WrapOptions options,
                               std::move_only_function<void(int)> on_end,
                               std::shared_ptr<io::Spawner> spawner)
    : loop_(loop),
      options_(std::move(options)),
      spawner_(std::move(spawner)),
      job_(spawner_->add(
          [options = options_](const io::Spawner::Order& order) { run_child(options, order); })),
      on_end_(std::move(on_end)),
      timer_(loop.timers(), [this] {
        if (state_ == State::Pausing) {
          restart();
        } else {
          look_for_the_rest();
        }
      }) {
  CHECK(!options_.argv.empty());
}

WrappedProgram::~WrappedProgram() {
  watch_.reset();
  if (pid_ <= 0 || state_ == State::Gone) return;
  kill_group(SIGKILL);
  reap();
}

Status WrappedProgram::start(std::uint16_t old_port) {
  old_port_ = old_port;
  if (options_.rebind.find_first_of(": ") != std::string::npos) {
    return fail(Errc::Invalid, "LD_PRELOAD cannot hold '" + options_.rebind + "'");
  }
  if (Status status = reserve_port(); !status) return status;
  if (Status status = spawn(); !status) return status;
  if (Status status = exec_outcome(); !status) {
    watch_.reset();
    reap();
    state_ = State::Gone;
    return status;
  }
  log::info("started %s, pid %d, behind port %u", options_.argv[0].c_str(), static_cast<int>(pid_),
            target_.port);
  return {};
}

// websockify binds a port, closes it, and hopes that it is still free when the program comes. We keep it
// bound, with SO_REUSEADDR, and rebind.so gives the program's socket the same: the kernel lets the two
// share the port as long as only one listens, gives it to nobody else, and refuses connections while the
// program is not there. So it also stays the same from one start to the next.
Status WrappedProgram::reserve_port() {
  int error = EADDRINUSE;
  for (int i = 0; i < kPortTries && error == EADDRINUSE; ++i) {
    auto v4 = hold("127.0.0.1", 0);
    if (!v4) {
      error = v4.error().sys;
      break;
    }
    const std::uint16_t port = local_address(v4->get()).port();
    auto v6 = hold("::1", port);
    if (!v6 && v6.error().sys == EADDRINUSE) continue;
    held_v4_ = std::move(*v4);
    if (v6) held_v6_ = std::move(*v6);  // a machine without IPv6 has no ::1
    target_ = {"127.0.0.1", port, ""};
    return {};
  }
  return fail(Errc::Io, "no free port for " + options_.argv[0], error);
}

Status WrappedProgram::spawn() {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
    return fail(Errc::Io, "cannot run " + options_.argv[0], errno);
  }
  exec_errors_.reset(pipe[0]);
  const UniqueFd theirs(pipe[1]);
  const Ports ports{old_port_, target_.port};
  const std::string_view text(reinterpret_cast<const char*>(&ports), sizeof ports);
  const auto child = spawner_->spawn(
      job_, std::array{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, theirs.get()}, text);
  if (!child) return std::unexpected(child.error().in("cannot run " + options_.argv[0]));
  pid_ = *child;
  reaped_ = false;
  // both sides do it: neither may be the first to rely on it
  ::setpgid(pid_, pid_);
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) {
    const int error = errno;
    kill_group(SIGKILL);
    reap();
    return fail(Errc::Io, "cannot watch " + options_.argv[0], error);
  }
  watch_ = std::make_unique<io::Watch>(loop_, pidfd_.get(), [this](io::Ready) { on_exit(); });
  watch_->set({.read = true});
  started_ = loop_.clock().now();
  state_ = State::Running;
  return {};
}

// Waits until the program is running, or not: the pipe's other end is closed by its exec.
Status WrappedProgram::exec_outcome() {
  int error = 0;
  const ssize_t n = ::read(exec_errors_.get(), &error, sizeof error);
  exec_errors_.reset();
  if (n != sizeof error) return {};
  return fail(Errc::Io, "cannot run " + options_.argv[0], error);
}

// Our own callback may be on the stack.
void WrappedProgram::drop_watch() {
  if (!watch_) return;
  watch_->set({});
  loop_.defer([dead = std::move(watch_)] {});
}

void WrappedProgram::on_exit() {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      info.si_pid != pid_) {
    return;
  }
  drop_watch();
  if (state_ == State::Stopping) {
    reap();
    return look_for_the_rest();
  }
  // a restart does not wait for exec, so that the loop never blocks: its failure is read here
  if (exec_errors_) {
    if (const Status status = exec_outcome(); !status) {
      log::error("%s", status.error().message().c_str());
    }
  }
  switch (options_.mode) {
    case WrapMode::Exit:
      log::write(exit_status(info) == 0 ? log::Level::Info : log::Level::Error,
                 options_.argv[0] + " ended " + describe(info));
      break;
    case WrapMode::Ignore:
      log::warning("%s ended %s; serving goes on", options_.argv[0].c_str(),
                   describe(info).c_str());
      // Not reaped: what it has left in its process group may be the server itself, and the group's
      // number must stay its own until stop().
      state_ = State::Ended;
      on_end_(exit_status(info));
      return;
    case WrapMode::Respawn:
      kill_group(SIGTERM);  // to what it has left, which has the pause to go
      log::write(pause_ < kLongestPause || loop_.clock().now() - logged_ >= kLogEvery
                     ? log::Level::Warning
                     : log::Level::Debug,
                 options_.argv[0] + " ended " + describe(info));
      return pause_or_restart();
  }
  kill_group(SIGTERM);
  state_ = State::Ended;
  on_end_(exit_status(info));
}

void WrappedProgram::pause_or_restart() {
  const SteadyTime now = loop_.clock().now();
  state_ = State::Pausing;
  if (pause_ < kLongestPause || now - logged_ >= kLogEvery) logged_ = now;
  const bool first = pause_ == Duration::zero();
  pause_ =
      first || now - started_ >= kLongEnough ? kFirstPause : std::min(pause_ * 2, kLongestPause);
  timer_.arm(pause_);
}

void WrappedProgram::restart() {
  if (!reaped_) kill_group(SIGKILL);
  reap();
  if (const Status status = spawn(); !status) {
    log::error("%s", status.error().message().c_str());
    started_ = loop_.clock().now();
    return pause_or_restart();
  }
  log::debug("started %s again, pid %d", options_.argv[0].c_str(), static_cast<int>(pid_));
}

bool WrappedProgram::starting() const {
  if (state_ == State::Pausing) return true;
  return state_ == State::Running && loop_.clock().now() - started_ < kLongEnough;
}

void WrappedProgram::stop(Duration grace, std::move_only_function<void()> on_gone) {
  CHECK(state_ != State::Stopping);
  on_gone_ = std::move(on_gone);
  const bool ended = state_ != State::Running;
  kill_at_ = loop_.clock().now() + grace;
  if (pid_ > 0 && !reaped_) {
    kill_group(SIGTERM);
    kill_group(SIGCONT);  // a stopped program would not see the other
    if (ended) reap();
  }
  state_ = State::Stopping;
  // at the earliest in the loop, as promised; at the latest when it is time for SIGKILL
  timer_.arm(ended ? Duration::zero() : grace);
}

// The program itself has ended, or its time is up: are there others in its group?
void WrappedProgram::look_for_the_rest() {
  if (state_ != State::Stopping) return;
  const bool late = loop_.clock().now() >= kill_at_;
  while (reaped_ && ::waitpid(-pid_, nullptr, WNOHANG) > 0) {
    // as process 1 of a container we inherit what it has left
  }
  const bool left = pid_ > 0 && (!reaped_ || ::kill(-pid_, 0) == 0);
  if (left && !late) return timer_.arm(kLookAgain);
  if (left) {
    log::warning("%s does not end: killed", options_.argv[0].c_str());
    kill_group(SIGKILL);
    reap();
  }
  timer_.cancel();
  drop_watch();
  state_ = State::Gone;
  on_gone_();
}

void WrappedProgram::kill_group(int signal) const { ::kill(-pid_, signal); }

// Called when it has ended or was sent SIGKILL: that takes a moment, but not one stuck in the kernel.
void WrappedProgram::reap() {
  if (std::exchange(reaped_, true)) return;
  pollfd ended{pidfd_.get(), POLLIN, 0};
  if (pidfd_) ::poll(&ended, 1, kKillMilliseconds);
  ::waitpid(pid_, nullptr, pidfd_ ? WNOHANG : 0);
}

Result<std::string> find_rebind() {
  std::error_code error;
  const auto binary = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return fail(Errc::Io, "cannot tell where this program is", error.value());
  return find_rebind(binary.parent_path().string());
}

Result<std::string> find_rebind(const std::string& folder) {
  const std::array<std::string, 2> places = {folder + "/rebind.so",
                                             folder + "/../lib/wsproxy/rebind.so"};
  for (const std::string& place : places) {
    std::error_code error;
    auto path = std::filesystem::canonical(place, error);
    if (!error) return path.string();
  }
  return fail(Errc::NotFound, "a program behind -- needs rebind.so, which is neither " + places[0] +
                                  " nor " + places[1]);
}

}  // namespace wsproxy::daemon
