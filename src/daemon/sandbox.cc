#include "daemon/sandbox.h"

namespace wsproxy::daemon {
namespace {

void add(std::string& list, const std::string& what) { list += (list.empty() ? "" : ", ") + what; }

}  // namespace

bool is_sanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
  return true;
#else
  return false;
#endif
#else
  return false;
#endif
}

Confined confine(FileRules& files, const Confinement& confinement) {
  Confined result;
  const int abi = landlock_abi();
  const bool tcp = confinement.role == Role::Daemon || confinement.role == Role::Writer;
  Status limited = files.enforce();
  if (limited && tcp) {
    const auto& ports = confinement.ports;
    limited = limit_tcp(ports.value_or(std::vector<std::uint16_t>()), !ports);
  }
  if (abi == 0) {
    add(result.missing, "the kernel has no Landlock, so every file of our user can be opened");
  } else if (!limited) {
    add(result.missing, limited.error().message());
  } else {
    add(result.has, "files by Landlock " + std::to_string(abi));
    if (confinement.ports && abi >= 4) add(result.has, "TCP to the target's port alone");
  }
  // second: it allows none of the above
  if (!can_limit_system_calls()) {
    add(result.missing, "seccomp is not there, in this build or in the kernel");
  } else if (const Status calls = limit_system_calls(confinement.role, confinement.denied);
             !calls) {
    add(result.missing, calls.error().message());
  } else {
    add(result.has, "system calls by seccomp");
  }
  return result;
}

}  // namespace wsproxy::daemon
