// The file of a Unix socket that listens: ours to remove.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace wsproxy::io {

/// Removes the file when it dies or on remove(), unless something else stands in its place by then. Works
/// after chdir and chroot too, for it keeps the directory open. While it lives, the socket has to be open:
/// a free inode number may be given to another file. A process that forks lets go of it in the one that
/// does not listen.
class SocketFile {
 public:
  SocketFile() = default;
  SocketFile(SocketFile&& other) noexcept = default;
  SocketFile& operator=(SocketFile&& other) noexcept;
  ~SocketFile() { remove(); }

  /// Takes charge of the file that a socket was just bound to.
  static Result<SocketFile> own(const std::string& path);

  void remove();
  /// Leaves the file where it is, as for a successor that goes on with the socket.
  void release() { directory_.reset(); }

 private:
  UniqueFd directory_;  // empty: nothing to remove
  std::string name_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace wsproxy::io
