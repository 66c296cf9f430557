#include "daemon/system_calls.h"

#ifdef WSPROXY_SECCOMP

#include <fcntl.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace wsproxy::daemon {
namespace {

// Names, as their numbers differ from one architecture to the next, and not all have all of them.
using Calls = std::span<const char* const>;

// What every process needs, the busiest first.
constexpr std::array kCommon = {
    "read",         "write",         "readv",           "writev",       "recvfrom",
    "sendto",       "recvmsg",       "sendmsg",         "poll",         "ppoll",
    "close",        "clock_gettime", "clock_gettime64", "futex",        "futex_time64",
    "brk",          "munmap",        "mremap",          "madvise",      "fcntl",
    "fcntl64",      "fstat",         "fstat64",         "newfstatat",   "fstatat64",
    "statx",        "lseek",         "_llseek",         "getpid",       "gettid",
    "getppid",      "getuid",        "geteuid",         "getgid",       "getegid",
    "uname",        "sysinfo",       "getrandom",       "rt_sigaction", "rt_sigprocmask",
    "rt_sigreturn", "sigreturn",     "sigaltstack",     "kill",         "tgkill",
    "exit",         "exit_group",    "restart_syscall",
};

constexpr std::array kDaemon = {
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_ctl",
    "accept4",
    "accept",
    "connect",
    "shutdown",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
    "socketpair",
    "pipe2",
    "dup",
    "dup2",
    "dup3",
    "pread64",
    "pwrite64",
    "sendfile",
    "sendfile64",
    "splice",
    "gettimeofday",
    "time",
    "openat2",
    "stat",
    "stat64",
    "lstat",
    "lstat64",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "chdir",
    "unlink",
    "unlinkat",
    "ftruncate",
    "ftruncate64",
    "wait4",
    "waitid",
    "pidfd_open",
    "setpgid",
    "prlimit64",
    "getrlimit",
    "ugetrlimit",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "nanosleep",
    "sched_yield",
    "getrusage",
    "membarrier",
};

// NSS modules: dlopen, sockets of every kind, loops of their own.
constexpr std::array kLookUps = {
    "mmap",
    "mmap2",
    "mprotect",
    "openat",
    "open",
    "socket",
    "ioctl",
    "bind",
    "sendmmsg",
    "recvmmsg",
    "clone",
    "clone3",
    "fork",
    "vfork",
    "alarm",
    "setitimer",
    "prctl",
    "close_range",
    "set_robust_list",
    "set_tid_address",
    "rseq",
    "arch_prctl",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "epoll_create1",
    "eventfd2",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "memfd_create",
    "inotify_init1",
    "inotify_add_watch",
    "inotify_rm_watch",
    "select",
    "_newselect",
    "pselect6",
    "statfs",
    "statfs64",
    "fstatfs",
    "fstatfs64",
    "flock",
    "fadvise64",
    "getresuid",
    "getresgid",
    "getgroups",
    "getpgrp",
    "getsid",
    "getpgid",
    "capget",
    "clock_getres",
    "rt_sigtimedwait",
    "rt_sigpending",
    "getpriority",
    "umask",
};

constexpr std::array kWriter = {
    "openat",    "open",         "mmap",      "mmap2",       "mprotect",
    "fchown",    "fchown32",     "dup",       "dup2",        "dup3",
    "faccessat", "faccessat2",   "ftruncate", "ftruncate64", "clock_nanosleep",
    "nanosleep", "gettimeofday", "time",
};

// To give up root in what it forks, and for the limits of those.
constexpr std::array kStarter = {"fchmod",
                                 "fchown",
                                 "fchown32",
                                 "landlock_create_ruleset",
                                 "landlock_add_rule",
                                 "landlock_restrict_self",
                                 "seccomp",
                                 "capset",
                                 "setuid",
                                 "setuid32",
                                 "setreuid",
                                 "setresuid",
                                 "setresuid32"};

// The Daemon's: no descriptor to write a file by, no memory that can be executed, no strange sockets.
int allow_with_conditions(scmp_filter_ctx filter) {
  const auto masked_zero = [filter](const char* name, unsigned argument, scmp_datum_t mask) {
    const int call = ::seccomp_syscall_resolve_name(name);
    if (call < 0) return 0;
    const scmp_arg_cmp zero = {argument, SCMP_CMP_MASKED_EQ, mask, 0};
    return ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &zero);
  };
  const auto equals = [filter](const char* name, unsigned argument, scmp_datum_t value) {
    const scmp_arg_cmp same = {argument, SCMP_CMP_EQ, value, 0};
    return ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, ::seccomp_syscall_resolve_name(name), 1,
                                    &same);
  };
  for (const char* name : {"mmap", "mmap2", "mprotect"}) {
    if (const int error = masked_zero(name, 2, PROT_EXEC); error != 0) return error;
  }
  constexpr unsigned kWrites = O_ACCMODE | O_CREAT | O_TRUNC;
  if (const int error = masked_zero("openat", 2, kWrites); error != 0) return error;
  for (const int family : {AF_INET, AF_INET6, AF_UNIX}) {
    if (const int error = equals("socket", 0, static_cast<scmp_datum_t>(family)); error != 0)
      return error;
  }
  for (const unsigned long request : {SIOCOUTQ, SIOCGIFINDEX, FIONREAD, TCGETS}) {
    if (const int error = equals("ioctl", 1, request); error != 0) return error;
  }
  return 0;
}

int allow(scmp_filter_ctx filter, Calls names) {
  for (const char* name : names) {
    const int call = ::seccomp_syscall_resolve_name(name);
    if (call < 0) continue;  // this architecture has none of that name
    const int error = ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 0, nullptr);
    if (error != 0 && error != -EEXIST) return error;
  }
  return 0;
}

int allow_for(scmp_filter_ctx filter, Role role) {
  int error = allow(filter, kCommon);
  const auto add = [&](auto what) {
    if (error == 0) error = what();
  };
  if (role == Role::Daemon || role == Role::LookUps || role == Role::Starter) {
    add([&] { return allow(filter, kDaemon); });
  }
  if (role == Role::LookUps || role == Role::Starter) add([&] { return allow(filter, kLookUps); });
  if (role == Role::Writer) add([&] { return allow(filter, kWriter); });
  if (role == Role::Starter) add([&] { return allow(filter, kStarter); });
  if (role == Role::Daemon) add([&] { return allow_with_conditions(filter); });
  return error;
}

// Which call it was: the number is all that can be told from here.
void say_and_die(int signal, siginfo_t* info, void*) {
  std::array<char, 64> text{};
  std::size_t size = 0;
  for (const char c : std::string_view("wsproxy: sandbox: denied system call ")) text[size++] = c;
  int divisor = 1000;
  for (int rest = info->si_syscall; divisor > 0; divisor /= 10) {
    text[size++] = static_cast<char>('0' + (rest / divisor % 10));
  }
  text[size++] = '\n';
  (void)!::write(STDERR_FILENO, text.data(), size);
  ::signal(signal, SIG_DFL);
  ::kill(::getpid(), signal);  // comes when we return
}

void die_of_denied_calls() {
  struct sigaction action{};
  action.sa_sigaction = say_and_die;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSYS, &action, nullptr);
}

}  // namespace

bool can_limit_system_calls() {
  return ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0 && ::seccomp_api_get() > 0;
}

Status limit_system_calls(Role role, Denied denied) {
  const std::uint32_t otherwise =
      denied == Denied::Fatal ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(static_cast<unsigned>(ENOSYS));
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(::seccomp_init(otherwise),
                                                                ::seccomp_release);
  if (!filter) return fail(Errc::Io, "cannot limit system calls", ENOMEM);
  if (denied == Denied::Fatal) die_of_denied_calls();
  ::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, otherwise);
  ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_LOG, 1);
  ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a binary tree
  int error = allow_for(filter.get(), role);
  if (error == 0) error = ::seccomp_load(filter.get());
  if (error != 0) return fail(Errc::Io, "cannot limit system calls (seccomp)", -error);
  return {};
}

}  // namespace wsproxy::daemon

#else

namespace wsproxy::daemon {

bool can_limit_system_calls() { return false; }
Status limit_system_calls(Role, Denied) {
  return fail(Errc::Invalid, "this build limits no system calls");
}

}  // namespace wsproxy::daemon

#endif
