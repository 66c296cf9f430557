#include "daemon/hardening.h"

#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>

namespace wsproxy::daemon {
namespace {

constexpr std::uint64_t kReserved = 64;
constexpr std::uint64_t kPerSession = 2;

}  // namespace

Status forbid_core_dumps() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) {
    return fail(Errc::Io, "cannot switch core dumps off", errno);
  }
  return {};
}

Status forbid_tracing() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return fail(Errc::Io, "cannot keep other processes from tracing this one", errno);
  }
  return {};
}

Status pass_on_no_descriptors() {
  if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
    return fail(Errc::Io, "cannot keep inherited descriptors from other programs", errno);
  }
  return {};
}

Result<std::uint64_t> raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return fail(Errc::Io, "cannot read the limit of descriptors", errno);
  }
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  // a sandbox may forbid it: then the limit that we have has to do
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

std::size_t max_sessions_for(std::uint64_t descriptors) {
  if (descriptors <= kReserved) return 0;
  const std::uint64_t fits = (descriptors - kReserved) / kPerSession;
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(fits, std::numeric_limits<std::size_t>::max()));
}

Result<std::size_t> session_limit(std::size_t wanted, std::uint64_t descriptors) {
  const std::size_t fits = max_sessions_for(descriptors);
  const std::string room =
      std::to_string(descriptors) + " descriptors are enough for " + std::to_string(fits) +
      " sessions; raise the limit (LimitNOFILE= in a unit, ulimit -n in a shell)";
  if (fits == 0) return fail(Errc::Invalid, room);
  if (wanted > fits) {
    return fail(Errc::Invalid, "--max-sessions is " + std::to_string(wanted) + ", but " + room +
                                   " or ask for fewer");
  }
  return wanted == 0 ? fits : wanted;
}

void hide_argument(std::span<const char* const> arguments, std::string_view secret) {
  if (secret.empty()) return;
  const std::string wanted(secret);  // `secret` may point into what is about to be overwritten
  for (const char* argument : arguments) {
    const std::string_view text = argument;
    if (!text.ends_with(wanted)) continue;
    const std::size_t from = text.size() - wanted.size();
    if (from > 0 && text[from - 1] != '=') continue;
    // argv belongs to the program and may be written to (ISO C 5.1.2.2.1). Zeros behind the "x", so
    // that not even the length is told.
    char* place = const_cast<char*>(argument) + from;
    std::fill_n(place, wanted.size(), '\0');
    *place = 'x';
  }
}

}  // namespace wsproxy::daemon
