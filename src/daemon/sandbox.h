// The sandbox of a process: its files by Landlock, its system calls by seccomp, each as far as the kernel and
// the build have it. What is done once everything is open, and cannot be undone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/landlock.h"
#include "daemon/system_calls.h"

namespace wsproxy::daemon {

/// A sanitizer opens files, starts threads and traces at the end whatever we allow: such a build has no
/// sandbox.
bool is_sanitized();

struct Confinement {
  Role role = Role::Daemon;
  /// Ports that can be connected to on TCP; nothing: all. Binding is over in any case but for LookUps and
  /// Starter, which are not limited at all here.
  std::optional<std::vector<std::uint16_t>> ports;
  Denied denied = Denied::Enosys;
};

/// What holds from now on, in words, and what was not to be had.
struct Confined {
  std::string has;      ///< "files by Landlock 7, system calls by seccomp", or empty
  std::string missing;  ///< "the kernel has no Landlock", or empty
};

/// `files` are used up.
Confined confine(FileRules& files, const Confinement& confinement);

}  // namespace wsproxy::daemon
