#include "daemon/successor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <span>
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

bool is_variable(std::string_view entry, std::string_view name) {
  return entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=';
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// What the new program reads in kVariable; its descriptors are the channel and then the sockets.
std::string describe(const std::vector<SocketToHand>& sockets) {
  std::string text = std::to_string(kFirstFd);
  int fd = kFirstFd;
  for (const SocketToHand& socket : sockets) {
    text += "\n" + std::to_string(++fd) + " " + (socket.name.empty() ? "-" : socket.name) + " " +
            socket.listen;
  }
  return text;
}

std::vector<std::string> environment(const SuccessorOptions& options, const std::string& handed) {
  auto variables = options.environment;
  variables.emplace_back(kVariable, handed);
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const bool replaced = std::ranges::any_of(
        variables, [&](const auto& variable) { return is_variable(*entry, variable.first); });
    if (!replaced) out.emplace_back(*entry);
  }
  for (const auto& [name, value] : variables) {
    out.push_back(std::string(name).append("=").append(value));
  }
  return out;
}

// The descriptors of `fds` become `first` and on. Each first goes above all of those, so that none is
// overwritten before it has been moved.
bool place_descriptors(std::span<const UniqueFd> fds, int first) {
  const int above = first + static_cast<int>(fds.size());
  std::vector<int> moved;
  for (const UniqueFd& fd : fds) {
    moved.push_back(::fcntl(fd.get(), F_DUPFD_CLOEXEC, above));
    if (moved.back() < 0) return false;
  }
  for (const int fd : moved) {
    if (::dup2(fd, first++) < 0) return false;
  }
  return true;
}

// An order has descriptors 0 to 2, the channel and the sockets.
[[noreturn]] void become(const SuccessorOptions& options, const io::Spawner::Order& order) {
  const pid_t pid = ::getpid();
  (void)!::write(order.fds.at(kFirstFd).get(), &pid, sizeof pid);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  auto arguments = options.arguments;
  auto variables = environment(options, order.text);
  if (place_descriptors(order.fds, 0)) {
    ::execve(options.program.c_str(), pointers(arguments).data(), pointers(variables).data());
  }
  ::_exit(127);
}

// In between, so that the new one is nobody's child but init's or the service manager's.
void run_between(const SuccessorOptions& options, const io::Spawner::Order& order) {
  const pid_t child = ::fork();
  if (child == 0) become(options, order);
  ::_exit(child < 0 ? 1 : 0);
}

}  // namespace

SuccessorStarter::SuccessorStarter(SuccessorOptions options, std::shared_ptr<io::Spawner> spawner)
    : limit_(options.limit),
      spawner_(std::move(spawner)),
      job_(spawner_->add([options = std::move(options)](const io::Spawner::Order& order) {
        run_between(options, order);
      })) {}

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
                                                    const SuccessorStarter& starter,
                                                    const std::vector<SocketToHand>& sockets,
                                                    OnEnd on_end) {
  if (sockets.size() + kFirstFd + 1 > io::Spawner::kMaxFds) {
    return fail(Errc::Invalid, "too many listening sockets to hand over");
  }
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return fail(Errc::Io, "socketpair", errno);
  }
  UniqueFd ours(pair[0]);
  const UniqueFd theirs(pair[1]);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  std::vector<int> fds = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, theirs.get()};
  for (const SocketToHand& socket : sockets) fds.push_back(socket.fd);
  const auto between = starter.spawner_->spawn(starter.job_, fds, describe(sockets));
  if (!between) return std::unexpected(between.error());
  int status = 0;
  while (::waitpid(*between, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return fail(Errc::Io, "fork", EAGAIN);
  return std::unique_ptr<Successor>(
      new Successor(loop, std::move(ours), starter.limit_, std::move(on_end)));
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
