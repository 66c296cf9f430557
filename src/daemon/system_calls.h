// Which system calls a process may still make (seccomp, by libseccomp; WITH_SECCOMP=0 builds without).
#pragma once

#include <cstdint>

#include "base/error.h"

namespace wsproxy::daemon {

/// What a process is there for, and so what it needs.
enum class Role : std::uint8_t {
  Daemon,  ///< sockets that are there or are connected, reading files; no bind, fork, exec or new code
  LookUps,  ///< whatever the system's resolver and its modules do, but exec
  Writer,   ///< appends to files; no sockets
  Starter,  ///< forks the two before, which go on to limits of their own
};

/// How a call that is not on the list ends.
enum class Denied : std::uint8_t {
  Enosys,  ///< with that error, as on a kernel without it; the kernel's audit log has it
  Fatal    ///< by SIGSYS, for tests
};

/// Whether this build and the kernel can do it.
bool can_limit_system_calls();

/// For this process and those that it forks, for good. Errors: Io, Invalid (not built in).
Status limit_system_calls(Role role, Denied denied);

}  // namespace wsproxy::daemon
