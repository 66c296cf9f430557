// Limits and process flags that keep secrets in and accidents small.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"

namespace wsproxy::daemon {

/// No core file of this process or of its children, for it would hold keys and passwords:
/// RLIMIT_CORE is 0 from now on, soft and hard.
Status forbid_core_dumps();

/// No other process of our user may trace us or read our memory (PR_SET_DUMPABLE 0); what is in
/// /proc/PID belongs to root from now on. Call it after drop_privileges(): a change of the uid
/// resets it.
Status forbid_tracing();

/// Keeps what we were started with, above standard error, from the programs that we run: every
/// descriptor that is open now is close-on-exec. It stays open, as `--listen fd:N` may name it.
/// Call it first of all: what is opened later is made so one by one. Errors: Io (Linux before 5.11).
Status pass_on_no_descriptors();

/// Raises the soft limit of descriptors to the hard one; gives what it is now. The usual soft limit
/// of 1,024 is there for programs that use select().
Result<std::uint64_t> raise_descriptor_limit();

/// How many sessions fit into `descriptors`: two each, and 64 for listeners, logs and connections
/// that are no session yet.
[[nodiscard]] std::size_t max_sessions_for(std::uint64_t descriptors);

/// The limit of sessions to use: `wanted`, or as many as fit when that is 0.
///
/// Errors: Invalid when more are wanted than fit, or when not even one fits; the text names both
/// figures and where to raise the limit.
Result<std::size_t> session_limit(std::size_t wanted, std::uint64_t descriptors);

/// Overwrites `secret` in `arguments`, which are main()'s own: `ps` shows "x" in its place. It finds
/// arguments that are the secret or end with "=" and the secret.
///
/// Whoever needs the command line afterwards has taken a copy before. It cannot undo that the secret
/// was readable for a moment: a file is the better place for it.
void hide_argument(std::span<const char* const> arguments, std::string_view secret);

}  // namespace wsproxy::daemon
