// The file that tells which process is the daemon, and the lock that keeps it the only one.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace wsproxy::daemon {

/// "PID\n", mode 0644, under a flock(2) lock for as long as the daemon runs: a file without the lock
/// is left over from a crash and taken over with a line in the log. `flock -n FILE true` tells from
/// outside whether it runs.
///
/// The lock is the open file's: it would outlive a fork, but the pid would not. So create it in the
/// final process, after daemonize(), and as root, before drop_privileges(). Children close their
/// copy when they exec or close_range; only the process that created the file removes it.
class PidFile {
 public:
  /// Creates, locks and writes the file at `path`. `daemon_user` is who the daemon is going to be;
  /// besides root and ourselves it may own the directory and what is left over there.
  ///
  /// Errors: Refused when another process holds the file (its pid is in the text). Invalid when the
  /// directory can be written to by others or belongs to somebody else, when the file is a symbolic
  /// link, no regular file, has a second name, belongs to somebody else, or holds anything but
  /// the number of a process. Io when a system call fails.
  static Result<PidFile> create(const std::string& path, uid_t daemon_user);
  static Result<PidFile> create(const std::string& path) { return create(path, ::geteuid()); }

  PidFile(PidFile&& other) noexcept = default;
  PidFile& operator=(PidFile&& other) noexcept;
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;
  ~PidFile() { remove(); }

  /// Removes the file, if the name still stands for the file that we wrote; works from inside a
  /// chroot and with a relative path after chdir(). Without the right to (root's directory, after
  /// the privileges are gone) the file is emptied instead, and the next start takes it silently.
  /// Safe to call twice.
  void remove();

  /// Closes the directory: after it, remove() only empties the file. For a chroot with a change of
  /// user, as a descriptor of a directory outside is a way out of the chroot.
  void leave_directory() { directory_.reset(); }

 private:
  PidFile() = default;
  [[nodiscard]] bool is_ours() const;
  [[nodiscard]] Status lock(uid_t daemon_user) const;
  [[nodiscard]] Status look_at_content(const std::string& path) const;
  Status write_pid();

  UniqueFd directory_;
  UniqueFd file_;
  std::string name_;  // in the directory
  pid_t owner_ = -1;
};

}  // namespace wsproxy::daemon
