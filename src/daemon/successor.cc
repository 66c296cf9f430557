#include "daemon/successor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <string_view>

namespace wsproxy::daemon {
namespace {

// "CHANNEL" and a line for each socket: "FD NAME LISTEN", an empty name as "-". The name has no space.
constexpr const char* kVariable = "WSPROXY_PREDECESSOR";
constexpr int kFirstFd = 3;
constexpr char kReady = 'R';
constexpr char kConfirmed = 'C';
constexpr int kConfirmMilliseconds = 10'000;

/// Everything for exec, made before fork(): the child only makes system calls.
struct Prepared {
  std::vector<std::string> strings;  // of both lists
  std::vector<char*> arguments;
  std::vector<char*> environment;
  std::vector<int> fds;  // of the sockets, in order; they become kFirstFd and on
};

bool is_variable(std::string_view entry, std::string_view name) {
  return entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=';
}

Prepared prepare(const SuccessorOptions& options) {
  Prepared prepared;
  std::string handed = std::to_string(kFirstFd);
  for (const SocketToHand& socket : options.sockets) {
    prepared.fds.push_back(socket.fd);
    handed += "\n" + std::to_string(kFirstFd + prepared.fds.size()) + " " +
              (socket.name.empty() ? "-" : socket.name) + " " + socket.listen;
  }
  auto variables = options.environment;
  variables.emplace_back(kVariable, handed);

  std::vector<std::string>& strings = prepared.strings;
  strings = options.arguments;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const bool replaced = std::ranges::any_of(
        variables, [&](const auto& variable) { return is_variable(*entry, variable.first); });
    if (!replaced) strings.emplace_back(*entry);
  }
  for (const auto& [name, value] : variables) strings.emplace_back(name).append("=").append(value);
  for (std::size_t i = 0; i < strings.size(); ++i) {
    (i < options.arguments.size() ? prepared.arguments : prepared.environment)
        .push_back(strings[i].data());
  }
  prepared.arguments.push_back(nullptr);
  prepared.environment.push_back(nullptr);
  return prepared;
}

// The channel and the sockets at the places that the environment names. Each first goes above all of those,
// so that none is overwritten before it has been moved.
bool place_descriptors(const Prepared& prepared, int channel) {
  const int above = kFirstFd + 1 + static_cast<int>(prepared.fds.size());
  std::array<int, 1024> moved{};
  if (prepared.fds.size() >= moved.size()) return false;
  for (std::size_t i = 0; i <= prepared.fds.size(); ++i) {
    moved[i] = ::fcntl(i == 0 ? channel : prepared.fds[i - 1], F_DUPFD_CLOEXEC, above);
    if (moved[i] < 0) return false;
  }
  for (std::size_t i = 0; i <= prepared.fds.size(); ++i) {
    if (::dup2(moved[i], kFirstFd + static_cast<int>(i)) < 0) return false;
  }
  return true;
}

[[noreturn]] void become(const std::string& program, const Prepared& prepared, int channel) {
  const pid_t pid = ::getpid();
  (void)!::write(channel, &pid, sizeof pid);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (place_descriptors(prepared, channel)) {
    ::execve(program.c_str(), prepared.arguments.data(), prepared.environment.data());
  }
  ::_exit(127);
}

}  // namespace

Successor::Successor(io::EventLoop& loop, UniqueFd channel, std::chrono::milliseconds limit,
                     OnEnd on_end)
    : loop_(loop),
      channel_(std::move(channel)),
      watch_(loop, channel_.get(), [this](io::Ready) { read(); }),
      limit_(loop.timers(),
             [this] {
               if (pid_ > 0) ::kill(std::exchange(pid_, 0), SIGKILL);
               end(fail(Errc::TimedOut, "the new program was not ready in time"));
             }),
      on_end_(std::move(on_end)) {
  watch_.set({.read = true});
  limit_.arm(limit);
}

Result<std::unique_ptr<Successor>> Successor::start(io::EventLoop& loop,
                                                    const SuccessorOptions& options, OnEnd on_end) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return fail(Errc::Io, "socketpair", errno);
  }
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  const Prepared prepared = prepare(options);
  const pid_t between = ::fork();
  if (between < 0) return fail(Errc::Io, "fork", errno);
  if (between == 0) {
    const pid_t child = ::fork();
    if (child == 0) become(options.program, prepared, theirs.get());
    ::_exit(child < 0 ? 1 : 0);
  }
  int status = 0;
  while (::waitpid(between, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return fail(Errc::Io, "fork", EAGAIN);
  return std::unique_ptr<Successor>(
      new Successor(loop, std::move(ours), options.limit, std::move(on_end)));
}

// First its pid comes, from before the exec; then that it is ready. An end of file says that it has failed.
void Successor::read() {
  pid_t pid = -1;
  const ssize_t size = ::recv(channel_.get(), &pid, sizeof pid, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size == sizeof pid) {
    pid_ = pid;
    return;
  }
  if (size == 1 && pid_ > 0) return end(pid_);
  pid_ = 0;  // it has ended: the number may be somebody else's by now
  end(fail(Errc::Io, "the new program ended before it was ready; its own messages say why"));
}

void Successor::end(Result<pid_t> outcome) {
  watch_.set({});
  limit_.cancel();
  loop_.defer([on_end = std::move(on_end_), outcome = std::move(outcome)]() mutable {
    on_end(std::move(outcome));
  });
}

void Successor::confirm() {
  confirmed_ = true;
  (void)!::send(channel_.get(), &kConfirmed, 1, MSG_NOSIGNAL);
}

Successor::~Successor() {
  if (confirmed_) return;
  if (pid_ < 0) read_pid();
  if (pid_ > 0) ::kill(pid_, SIGTERM);
}

// The pid is sent before the exec, so it is the first thing to come.
void Successor::read_pid() {
  pid_t pid = -1;
  if (::recv(channel_.get(), &pid, sizeof pid, MSG_DONTWAIT) == sizeof pid) pid_ = pid;
}

Result<Predecessor> Predecessor::from_environment() {
  Predecessor predecessor;
  const char* value = ::getenv(kVariable);
  if (value == nullptr) return predecessor;
  const std::string text = value;
  ::unsetenv(kVariable);
  const auto take = [](const std::string& number) -> UniqueFd {
    int fd = -1;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), fd);
    if (error != std::errc{} || end != number.data() + number.size() || fd < kFirstFd) return {};
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return {};
    return UniqueFd(fd);
  };
  const auto bad = [&] { return fail(Errc::Invalid, std::string(kVariable) + " is not ours"); };
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  predecessor.channel_ = take(line);
  if (!predecessor.channel_) return bad();
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string number;
    InheritedSocket socket;
    if (!(words >> number >> socket.name >> std::ws) || !std::getline(words, socket.listen)) {
      return bad();
    }
    if (socket.name == "-") socket.name.clear();
    socket.fd = take(number);
    if (!socket.fd) return bad();
    predecessor.sockets_.push_back(std::move(socket));
  }
  return predecessor;
}

void Predecessor::take_over() {
  if (!channel_) return;
  if (::send(channel_.get(), &kReady, 1, MSG_NOSIGNAL) == 1) {
    pollfd wait{.fd = channel_.get(), .events = POLLIN, .revents = 0};
    while (::poll(&wait, 1, kConfirmMilliseconds) < 0 && errno == EINTR) {
    }
    char confirmed = 0;
    (void)!::recv(channel_.get(), &confirmed, 1, MSG_DONTWAIT);
  }
  channel_.reset();
  sockets_.clear();
}

}  // namespace wsproxy::daemon
