// Landlock, as much of it as the kernel has: which files and TCP ports a process can still get at, whatever
// its user may. No library: these are three system calls (landlock(7)).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"

namespace wsproxy::daemon {

/// The kernel's version of it: 1 files, 3 truncation as well, 4 TCP ports, 5 ioctl of devices, 6 signals;
/// 0: there is none, or it is switched off.
int landlock_abi();

/// Rules for a process, to be added while it can still open what they are about. What none of them allows
/// is refused with EACCES after enforce(), whatever the permissions. Descriptors that are open stay as
/// they are; stat(2) and Unix sockets are not concerned.
///
/// A file or directory that is not there is passed over. Without Landlock all of it does nothing.
class FileRules {
 public:
  FileRules();

  /// A file, or a directory with all that is in it, now or later.
  void may_read(const std::string& path);

  /// A file that is going to be replaced by rename or by changing links to it, as certificates are: the
  /// directories of all links on the way and of the file itself become readable. Of "/", of directories
  /// in it (/etc, /tmp) and of our home directory only the file itself: keep such a file in a
  /// directory of its own.
  void may_read_replaced(const std::string& path);

  /// Files in this directory may be created, and opened for writing.
  void may_write_in(const std::string& directory);
  /// Names in this directory may be removed.
  void may_remove_in(const std::string& directory);
  /// A device such as /dev/null.
  void may_use(const std::string& device);

  /// For this process and those that it starts, for good. Errors: Io.
  Status enforce();

 private:
  void allow(const std::string& path, std::uint64_t rights);

  int abi_;
  UniqueFd ruleset_;
};

/// No TCP socket can be bound any more, nor connected to another port than these; `all_ports`: to any.
/// Does nothing before ABI 4. Errors: Io.
Status limit_tcp(const std::vector<std::uint16_t>& ports, bool all_ports);

/// What opening `path` failed for, or would fail for, is Landlock and nothing else.
bool is_out_of_reach(const std::string& path);

}  // namespace wsproxy::daemon
