#include "io/spawner.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <string>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "io/passing.h"

namespace wsproxy::io {
namespace {

constexpr int kChannel = 3;
constexpr time_t kAnswerSeconds = 5;  // a fork takes milliseconds

struct Reply {
  pid_t pid;
  int error;
};

[[noreturn]] void run(const Spawner::Job& job, Spawner::Order order) {
  job(std::move(order));
  ::_exit(127);
}

constexpr std::array kIgnored = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
using Actions = std::array<struct sigaction, kIgnored.size()>;

// Control-C and a service manager's TERM reach us as well: we go when the daemon goes, by its EOF. What was
// before is for those that we start.
Actions ignore_signals() {
  Actions before{};
  for (std::size_t i = 0; i < kIgnored.size(); ++i) {
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(kIgnored[i], &ignore, &before[i]);
  }
  return before;
}

void restore_signals(const Actions& before) {
  for (std::size_t i = 0; i < kIgnored.size(); ++i) ::sigaction(kIgnored[i], &before[i], nullptr);
}

// fork(), but the child is our parent's. It is not told to the C library, whose caches of pid and thread
// this process has not used: it has one thread, and never had more.
pid_t fork_sibling() {
  constexpr long kFlags = CLONE_PARENT | SIGCHLD;
#ifdef __s390__
  return static_cast<pid_t>(::syscall(SYS_clone, 0L, kFlags, 0L, 0L, 0L));
#else
  return static_cast<pid_t>(::syscall(SYS_clone, kFlags, 0L, 0L, 0L, 0L));
#endif
}

// What was started for somebody who waits no more.
void end_unwanted(const Reply& reply) {
  if (reply.pid <= 0) return;
  ::kill(reply.pid, SIGKILL);
  ::waitpid(reply.pid, nullptr, 0);
}

}  // namespace

Spawner::~Spawner() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);  // it does nothing that lasts
  ::waitpid(pid_, nullptr, 0);
}

std::size_t Spawner::add(Job job) {
  CHECK(pid_ < 0);
  jobs_.push_back(std::move(job));
  return jobs_.size() - 1;
}

Status Spawner::start(const std::function<Status()>& prepare) {
  CHECK(pid_ < 0);
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return fail(Errc::Io, "cannot start the starter of processes", errno);
  }
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  const pid_t daemon = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail(Errc::Io, "cannot start the starter of processes", errno);
  if (pid == 0) {
    const Status prepared = prepare ? prepare() : Status();
    if (!prepared) log::error("starter of processes: %s", prepared.error().message().c_str());
    if (!prepared) ::_exit(1);
    serve(theirs.get(), daemon);
  }
  pid_ = pid;
  channel_ = std::move(ours);
  theirs.reset();
  const timeval limit{.tv_sec = kAnswerSeconds, .tv_usec = 0};
  ::setsockopt(channel_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(channel_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  Reply ready{};
  if (::recv(channel_.get(), &ready, sizeof ready, 0) == sizeof ready) return {};
  return fail(Errc::Io, "the starter of processes ended at once");
}

Result<pid_t> Spawner::spawn(std::size_t job, std::span<const int> fds,
                             std::string_view text) const {
  CHECK(job < jobs_.size() && fds.size() <= kMaxFds);
  if (pid_ > 0) return order(job, fds, text);
  const pid_t daemon = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail(Errc::Io, "fork", errno);
  if (child == 0) {
    Order order{daemon, {}, std::string(text)};
    for (const int fd : fds) order.fds.emplace_back(fd);
    run(jobs_[job], std::move(order));
  }
  return child;
}

Result<pid_t> Spawner::order(std::size_t job, std::span<const int> fds,
                             std::string_view text) const {
  if (!pass(channel_.get(), std::to_string(job) + " " + std::string(text), fds)) {
    return fail(Errc::Io, "the process that starts others is gone", errno);
  }
  Reply reply{};
  while (true) {
    const ssize_t size = ::recv(channel_.get(), &reply, sizeof reply, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) {
      ++late_;
      return fail(Errc::Io, "the process that starts others does not answer");
    }
    if (size != sizeof reply) return fail(Errc::Io, "the process that starts others is gone");
    if (late_ == 0) break;
    --late_;  // answers come in the order of the orders
    end_unwanted(reply);
  }
  if (reply.pid < 0) return fail(Errc::Io, "fork", reply.error);
  return reply.pid;
}

void Spawner::serve(int channel, pid_t daemon) const {
  log::leave_sinks();
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= 2 && null > 2; ++fd) ::dup2(null, fd);
  if (channel != kChannel) ::dup3(channel, kChannel, O_CLOEXEC);
  ::close_range(kChannel + 1, ~0U, 0);
  ::prctl(PR_SET_NAME, "wsproxy-start");
  const Actions before = ignore_signals();
  Reply reply{0, 0};
  ::send(kChannel, &reply, sizeof reply, MSG_NOSIGNAL);
  while (true) {
    auto passed = receive_passed(kChannel);
    if (!passed) ::_exit(0);
    // nothing but the daemon's end of the pair writes to it: what is no order is a daemon gone mad
    std::size_t job = 0;
    const char* end = passed->text.data() + passed->text.size();
    const auto number = std::from_chars(passed->text.data(), end, job);
    if (number.ec != std::errc() || number.ptr == end || job >= jobs_.size()) ::_exit(1);
    reply.pid = fork_sibling();
    reply.error = errno;
    if (reply.pid == 0) {
      restore_signals(before);
      run(jobs_[job], {daemon, std::move(passed->fds), std::string(number.ptr + 1, end)});
    }
    ::send(kChannel, &reply, sizeof reply, MSG_NOSIGNAL);
  }
}

}  // namespace wsproxy::io
