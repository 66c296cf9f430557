#include "daemon/systemd.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>

#include "base/log.h"
#include "io/listener.h"

#ifdef WSPROXY_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace wsproxy::daemon {
namespace {

// sockaddr_un of a NOTIFY_SOCKET; its length counts, as abstract names have no end.
struct UnixAddress {
  sockaddr_un address{};
  socklen_t length = 0;
};

Result<UnixAddress> notify_address(std::string_view name) {
  UnixAddress to;
  to.address.sun_family = AF_UNIX;
  if (name.size() < 2 || (name[0] != '/' && name[0] != '@')) {
    return fail(Errc::Invalid, "NOTIFY_SOCKET is neither a path nor an abstract name");
  }
  if (name.size() >= sizeof to.address.sun_path) {
    return fail(Errc::Invalid, "NOTIFY_SOCKET is too long");
  }
  std::memcpy(to.address.sun_path, name.data(), name.size());
  const bool abstract = name[0] == '@';
  if (abstract) to.address.sun_path[0] = '\0';
  to.length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1));
  return to;
}

std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(
      line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return line;
}

long long monotonic_usec() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return (static_cast<long long>(now.tv_sec) * 1'000'000) + (now.tv_nsec / 1000);
}

}  // namespace

#ifdef WSPROXY_SYSTEMD

Result<std::vector<PassedSocket>> passed_sockets() {
  char** list = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &list);
  const auto free_list = [](char** names) {
    for (char** name = names; name != nullptr && *name != nullptr; ++name) std::free(*name);
    std::free(static_cast<void*>(names));
  };
  const std::unique_ptr<char*, decltype(free_list)> names(list, free_list);
  if (count < 0) return fail(Errc::Invalid, "sockets passed by the service manager", -count);
  std::vector<PassedSocket> sockets;
  for (int i = 0; i < count; ++i) {
    const std::string name = names.get()[i];
    auto socket = io::adopt_listener(SD_LISTEN_FDS_START + i);
    if (!socket) {
      return std::unexpected(socket.error().in("socket '" + name + "' from the service manager"));
    }
    sockets.push_back({std::move(*socket), name});
  }
  return sockets;
}

std::optional<std::chrono::microseconds> watchdog_interval() {
  std::uint64_t usec = 0;
  if (::sd_watchdog_enabled(1, &usec) <= 0 || usec == 0) return {};
  return std::chrono::microseconds(usec);
}

#else

Result<std::vector<PassedSocket>> passed_sockets() { return {}; }
std::optional<std::chrono::microseconds> watchdog_interval() { return {}; }

#endif

Result<Notifier> Notifier::from_environment() {
  Notifier notifier;
  const char* value = ::getenv("NOTIFY_SOCKET");
  const std::string name = value == nullptr ? "" : value;
  ::unsetenv("NOTIFY_SOCKET");
  if (name.empty()) return notifier;
  const auto to = notify_address(name);
  if (!to) return std::unexpected(to.error());
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to->address), to->length) != 0) {
    return fail(Errc::Io, "cannot reach the service manager at " + name, errno);
  }
  notifier.socket_ = std::move(socket);
  notifier.address_ = name;
  notifier.first_pid_ = ::getpid();
  return notifier;
}

void Notifier::ready(std::string_view status) {
  std::string message = "READY=1";
  if (::getpid() != first_pid_) message += "\nMAINPID=" + std::to_string(::getpid());
  if (!status.empty()) message += "\nSTATUS=" + one_line(status);
  send(message);
}

void Notifier::reloading() {
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_usec()));
}

void Notifier::stopping() { send("STOPPING=1"); }
void Notifier::status(std::string_view text) { send("STATUS=" + one_line(text)); }
void Notifier::alive() { send("WATCHDOG=1"); }

void Notifier::main_process(pid_t pid) { send("MAINPID=" + std::to_string(pid) + "\nWATCHDOG=1"); }

void Notifier::extend_timeout(std::chrono::microseconds more) {
  send("EXTEND_TIMEOUT_USEC=" + std::to_string(more.count()));
}

void Notifier::send(const std::string& message) {
  if (!socket_) return;
  if (::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
    failed_ = false;
    return;
  }
  const std::string why = describe_errno(errno);
  if (!std::exchange(failed_, true)) {
    log::warning("cannot tell the service manager how we are: %s", why.c_str());
  }
}

Watchdog::Watchdog(io::EventLoop& loop, Notifier& notifier, std::chrono::microseconds interval)
    : notifier_(notifier),
      every_(std::max<Duration>(interval / 2, std::chrono::milliseconds(1))),
      timer_(loop.timers(), [this] { tell(); }) {
  tell();
}

void Watchdog::tell() {
  notifier_.alive();
  timer_.arm(every_);
}

}  // namespace wsproxy::daemon
