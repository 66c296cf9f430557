// rebind.so: makes a program that wsproxy has started listen behind it. In C, so that nothing but libc
// comes into the program with it; not part of wsproxy itself.
//
// wsproxy listens on REBIND_OLD_PORT. When the program binds a TCP socket to that port, on whatever
// address, the socket goes to REBIND_NEW_PORT of the loopback interface instead:
//
//   AF_INET                            127.0.0.1
//   AF_INET6 that takes IPv4 as well   ::ffff:127.0.0.1, or ::1 when it was bound to an IPv6 address
//   AF_INET6 alone                     ::1
//
// Static and setuid programs escape it.
#define _GNU_SOURCE  // NOLINT(bugprone-reserved-identifier): what libc calls it; for RTLD_NEXT
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

typedef int (*bind_function)(int, const struct sockaddr*, socklen_t);

static bind_function next_bind;
static in_port_t old_port;  // in network byte order; 0: leave everything alone
static in_port_t new_port;

static in_port_t port_from(const char* name) {
  const char* text = getenv(name);
  if (text == NULL) return 0;
  char* end = NULL;
  const long value = strtol(text, &end, 10);
  return *end == '\0' && value > 0 && value <= 65535 ? htons((in_port_t)value) : 0;
}

// At load time: getenv() later could meet a setenv() of another thread.
__attribute__((constructor)) static void prepare(void) {
  // a function pointer does not convert from void* in ISO C: POSIX's own way around it
  *(void**)&next_bind = dlsym(RTLD_NEXT, "bind");
  new_port = port_from("REBIND_NEW_PORT");
  if (new_port != 0) old_port = port_from("REBIND_OLD_PORT");
}

static int option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

static int bind_to_new(int fd, void* address, socklen_t size) {
  // wsproxy holds the port bound so that nobody else gets it; both have to agree to share
  const int on = 1;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return next_bind(fd, (const struct sockaddr*)address, size);
}

static int bind_v4(int fd, struct sockaddr_in to) {
  to.sin_port = new_port;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind_to_new(fd, &to, sizeof to);
}

static int bind_v6(int fd, struct sockaddr_in6 to) {
  to.sin6_port = new_port;
  to.sin6_scope_id = 0;
  const int takes_v4 =
      option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0 &&
      (IN6_IS_ADDR_UNSPECIFIED(&to.sin6_addr) || IN6_IS_ADDR_V4MAPPED(&to.sin6_addr));
  (void)inet_pton(AF_INET6, takes_v4 ? "::ffff:127.0.0.1" : "::1", &to.sin6_addr);
  return bind_to_new(fd, &to, sizeof to);
}

#pragma GCC diagnostic ignored "-Wpedantic"  // glibc declares the address as a transparent union
__attribute__((visibility("default"))) int bind(int fd, const struct sockaddr* addr,
                                                socklen_t len) {
  if (next_bind == NULL) {
    errno = ENOSYS;
    return -1;
  }
  if (old_port == 0 || addr == NULL || option(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM) {
    return next_bind(fd, addr, len);
  }
  // copied: a caller's buffer has no alignment that we could count on
  if (len >= sizeof(struct sockaddr_in) && addr->sa_family == AF_INET) {
    struct sockaddr_in v4;
    memcpy(&v4, addr, sizeof v4);
    if (v4.sin_port == old_port) return bind_v4(fd, v4);
  } else if (len >= sizeof(struct sockaddr_in6) && addr->sa_family == AF_INET6) {
    struct sockaddr_in6 v6;
    memcpy(&v6, addr, sizeof v6);
    if (v6.sin6_port == old_port) return bind_v6(fd, v6);
  }
  return next_bind(fd, addr, len);
}
