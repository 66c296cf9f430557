// Root is for the start: bind, read keys, then become somebody who may do nothing.
//
// The order, which whoever calls these keeps:
//   1. look_up_identity()            needs the user database, so before everything else
//   2. listeners, keys, log files, pid file, /dev/null (daemonize() has it)
//   3. the helper processes          they look names up outside of the chroot; each calls
//                                    drop_privileges(identity, "") itself
//   4. drop_privileges(identity, chroot directory)
//   5. forbid_tracing()              the change of the uid resets it
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace wsproxy::daemon {

/// Whom to become.
struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary, with gid
  std::string name;           ///< as the operator wrote it, for messages
};

/// Looks `user` and `group` up, names or numbers; an empty `group` is the user's own. The user's
/// supplementary groups come along.
///
/// Errors: NotFound (no such user or group), Invalid (a number without an entry and no group; root;
/// we are not root and the user or group is not who we are already), Io (the database failed).
Result<Identity> look_up_identity(const std::string& user, const std::string& group);

/// Becomes `identity`, for good, after moving into `chroot_dir` unless that is empty.
///
/// Every step is checked, and at the end root is tried to be regained: it must fail. No new
/// privileges can come from programs that are run later (PR_SET_NO_NEW_PRIVS), no capability
/// is left and none can be inherited. Without root it only proves that we are `identity`, and
/// then a chroot is an error.
/// After an error the process is in between: end it.
Status drop_privileges(const Identity& identity, const std::string& chroot_dir);

/// What to log when the daemon stays root; empty when it is not.
std::string root_warning();

}  // namespace wsproxy::daemon
