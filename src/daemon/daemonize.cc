#include "daemon/daemonize.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace wsproxy::daemon {
namespace {

constexpr int kFailure = 1;
constexpr int kKillAfterMs = 5000;

// All that goes over the line: the one in the middle tells the daemon's pid, the daemon that it is
// ready.
struct Message {
  enum class Kind { Pid, Ready } kind;
  pid_t pid;
};

bool send_message(int socket, Message message) {
  return ::send(socket, &message, sizeof message, MSG_NOSIGNAL) == sizeof message;
}

// The process that was started, from the fork to its end.
class Starter {
 public:
  Starter(UniqueFd socket, UniqueFd signals, pid_t middle)
      : socket_(std::move(socket)), signals_(std::move(signals)), middle_(middle) {}

  [[noreturn]] void wait_and_exit() {
    while (true) {
      std::array<pollfd, 2> ready{pollfd{socket_.get(), POLLIN, 0},
                                  pollfd{signals_.get(), POLLIN, 0}};
      const int count = ::poll(ready.data(), ready.size(), signal_ != 0 ? kKillAfterMs : -1);
      if (count < 0 && errno != EINTR) ::_exit(kFailure);
      if (count == 0) stop_daemon(SIGKILL);
      // A signal first: whoever has sent one must not be told that all is well. A daemon that is
      // ready and ends at once is no such case, as reap() reads what it had to say.
      if (count > 0 && ready[1].revents != 0) read_signal();
      if (count > 0 && ready[0].revents != 0) read_message();
    }
  }

 private:
  void read_message() {
    Message message{};
    if (!socket_) return;
    if (::recv(socket_.get(), &message, sizeof message, MSG_DONTWAIT) != sizeof message) {
      // closed: the daemon is ending, which SIGCHLD is going to tell
      socket_.reset();
      return;
    }
    if (message.kind == Message::Kind::Pid) {
      daemon_ = message.pid;
      if (signal_ != 0) stop_daemon(SIGTERM);
    } else if (signal_ == 0) {
      ::_exit(0);
    }
  }

  void read_signal() {
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) return;
    const int number = static_cast<int>(info.ssi_signo);
    if (number == SIGCHLD) {
      reap();
      return;
    }
    stop_daemon(signal_ == 0 ? SIGTERM : SIGKILL);
    signal_ = number;
  }

  void stop_daemon(int number) const {
    if (daemon_ > 0) ::kill(daemon_, number);
  }

  void reap() {
    int status = 0;
    pid_t pid = 0;
    while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (pid == middle_ && status == 0) continue;
      // its last words, which may be that it was ready
      while (socket_) read_message();
      if (pid == middle_ || pid == daemon_) end_with(status);
    }
  }

  [[noreturn]] void end_with(int status) const {
    if (signal_ != 0) {
      // as if it had never been caught, so that a shell sees what happened
      ::signal(signal_, SIG_DFL);
      sigset_t all;
      ::sigemptyset(&all);
      ::sigprocmask(SIG_SETMASK, &all, nullptr);
      ::raise(signal_);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) ::_exit(WEXITSTATUS(status));
    if (WIFSIGNALED(status)) {
      const char* words = sigdescr_np(WTERMSIG(status));
      std::fprintf(stderr, "wsproxy: the daemon was ended by signal %d (%s) before it was ready\n",
                   WTERMSIG(status), words == nullptr ? "unknown" : words);
    } else {
      std::fputs("wsproxy: the daemon ended before it was ready\n", stderr);
    }
    ::_exit(kFailure);
  }

  UniqueFd socket_;
  UniqueFd signals_;
  pid_t middle_;
  pid_t daemon_ = -1;
  int signal_ = 0;  // that we got and passed on
};

// What ends us (not what nohup and its like have us ignore), and the end of a child.
sigset_t signals_to_catch() {
  sigset_t caught;
  ::sigemptyset(&caught);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action{};
    ::sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_IGN) ::sigaddset(&caught, number);
  }
  // ignored, as some parents leave it, children end without a word
  ::signal(SIGCHLD, SIG_DFL);
  ::sigaddset(&caught, SIGCHLD);
  return caught;
}

}  // namespace

Status ReadyPipe::ready() {
  if (!socket_) return {};
  // before the word, so that whoever reads our output to its end is not kept waiting
  if (::chdir("/") != 0) return fail(Errc::Io, "chdir to /", errno);
  for (int fd = 0; fd <= 2; ++fd) {
    if (::dup2(null_.get(), fd) < 0) return fail(Errc::Io, "cannot let go of the terminal", errno);
  }
  null_.reset();
  const UniqueFd socket = std::move(socket_);
  if (!send_message(socket.get(), {Message::Kind::Ready, ::getpid()})) {
    return fail(Errc::Io, "the process that started the daemon is gone", errno);
  }
  return {};
}

Result<ReadyPipe> daemonize() {
  ReadyPipe pipe;
  // now, for there is none in a chroot; not as one of those that it is going to replace
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  pipe.null_ = UniqueFd(::fcntl(null.get(), F_DUPFD_CLOEXEC, 3));
  if (!pipe.null_) return fail(Errc::Io, "open /dev/null", errno);
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return fail(Errc::Io, "socketpair", errno);
  }
  UniqueFd starters_end(pair[0]);
  pipe.socket_ = UniqueFd(pair[1]);
  const sigset_t caught = signals_to_catch();
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &caught, &before);
  UniqueFd signals(::signalfd(-1, &caught, SFD_CLOEXEC));
  // The one in the middle ends at once; so that the daemon is then our child, whose end we learn of,
  // and not init's. It is init's when we end.
  const bool prepared = signals && ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
  std::fflush(nullptr);  // what is buffered must come out once
  const pid_t middle = prepared ? ::fork() : -1;
  if (middle < 0) {
    const int error = errno;
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return fail(Errc::Io, "cannot start the daemon", error);
  }
  if (middle > 0) {
    pipe.socket_.reset();
    Starter(std::move(starters_end), std::move(signals), middle).wait_and_exit();
  }

  starters_end.reset();
  signals.reset();
  ::setsid();
  const pid_t daemon = ::fork();
  if (daemon < 0) {
    std::perror("wsproxy: cannot start the daemon");
    ::_exit(kFailure);
  }
  // from here and not from the daemon, as a signal may end that before its first step
  if (daemon > 0)
    ::_exit(send_message(pipe.socket_.get(), {Message::Kind::Pid, daemon}) ? 0 : kFailure);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::umask(0077);
  return pipe;
}

}  // namespace wsproxy::daemon
