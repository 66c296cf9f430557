#include "io/resolver_helper.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>

namespace wsproxy::io {
namespace {

constexpr unsigned kChildSeconds = 3600;  // the daemon cancels long before; this ends orphans

void add_address(const addrinfo& entry, LookupReply& reply) {
  LookupReply::Address& address = reply.addresses[reply.count];
  if (entry.ai_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(entry.ai_addr);
    std::memcpy(address.bytes.data(), &v4->sin_addr, sizeof v4->sin_addr);
  } else if (entry.ai_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(entry.ai_addr);
    std::memcpy(address.bytes.data(), &v6->sin6_addr, sizeof v6->sin6_addr);
    address.scope = v6->sin6_scope_id;
  } else {
    return;
  }
  address.family = static_cast<std::uint32_t>(entry.ai_family);
  ++reply.count;
}

LookupReply look_up(const LookupRequest& request) {
  LookupReply reply;
  reply.id = request.id;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  reply.error = ::getaddrinfo(request.host.data(), nullptr, &hints, &list);
  if (reply.error != 0) {
    // AI_ADDRCONFIG hides ::1 and 127.0.0.1 on a machine with nothing but loopback
    hints.ai_flags = 0;
    reply.error = ::getaddrinfo(request.host.data(), nullptr, &hints, &list);
  }
  if (reply.error != 0) {
    reply.sys = reply.error == EAI_SYSTEM ? errno : 0;
    return reply;
  }
  for (const addrinfo* entry = list; entry != nullptr && reply.count < kMaxAddresses;
       entry = entry->ai_next) {
    add_address(*entry, reply);
  }
  ::freeaddrinfo(list);
  if (reply.count == 0) reply.error = EAI_NONAME;
  return reply;
}

[[noreturn]] void run_child(int socket, const LookupRequest& request, pid_t helper) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != helper) ::_exit(0);  // it ended before it could tell us so
  ::alarm(kChildSeconds);
  const LookupReply reply = look_up(request);
  ::send(socket, &reply, sizeof reply, MSG_NOSIGNAL);
  ::_exit(0);
}

void reap(std::map<std::uint32_t, pid_t>& children) {
  pid_t done = 0;
  while ((done = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
    std::erase_if(children, [&](const auto& child) { return child.second == done; });
  }
}

}  // namespace

void run_resolver_helper(int socket) {
  // The daemon's sockets and files are none of our business; descriptors 0 to 2 stay taken for NSS
  // modules that expect that, but whoever reads our output to its end must not wait for us.
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= 2 && null > 2; ++fd) ::dup2(null, fd);
  constexpr int kSocket = 3;
  if (socket != kSocket) ::dup3(socket, kSocket, O_CLOEXEC);
  ::close_range(kSocket + 1, ~0U, 0);
  ::prctl(PR_SET_NAME, "wsproxy-lookup");
  // Control-C and a service manager's TERM reach us as well: we go when the daemon goes, by its
  // EOF.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);

  std::map<std::uint32_t, pid_t> children;
  while (true) {
    // between requests, children that have ended are buried within a second
    pollfd readable{kSocket, POLLIN, 0};
    const int ready = ::poll(&readable, 1, children.empty() ? -1 : 1000);
    reap(children);
    if (ready <= 0) continue;
    LookupRequest request;
    const ssize_t n = ::recv(kSocket, &request, sizeof request, 0);
    if (n == 0 || (n < 0 && errno != EINTR)) break;
    if (n != sizeof request) continue;
    request.host.back() = '\0';
    if (request.host.front() == '\0') {
      const auto child = children.find(request.id);
      if (child != children.end()) ::kill(child->second, SIGKILL);
      continue;
    }
    const pid_t helper = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) run_child(kSocket, request, helper);
    if (child > 0) {
      children[request.id] = child;
    } else {
      LookupReply reply;
      reply.id = request.id;
      reply.error = EAI_SYSTEM;
      reply.sys = errno;
      ::send(kSocket, &reply, sizeof reply, MSG_NOSIGNAL);
    }
  }
  for (const auto& [id, pid] : children) ::kill(pid, SIGKILL);
  ::_exit(0);
}

}  // namespace wsproxy::io
