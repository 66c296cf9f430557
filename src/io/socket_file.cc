#include "io/socket_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace wsproxy::io {

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  if (this == &other) return *this;
  remove();
  directory_ = std::move(other.directory_);
  name_ = std::move(other.name_);
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

Result<SocketFile> SocketFile::own(const std::string& path) {
  const auto failed = [&] { return fail(Errc::Io, "unix:" + path, errno); };
  const auto slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  SocketFile file;
  UniqueFd fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failed();
  file.name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  struct stat status{};
  if (::fstatat(fd.get(), file.name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return failed();
  file.device_ = status.st_dev;
  file.inode_ = status.st_ino;
  file.directory_ = std::move(fd);
  return file;
}

void SocketFile::remove() {
  const UniqueFd directory = std::exchange(directory_, UniqueFd());
  if (!directory) return;
  struct stat status{};
  if (::fstatat(directory.get(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (!S_ISSOCK(status.st_mode) || status.st_dev != device_ || status.st_ino != inode_) return;
  ::unlinkat(directory.get(), name_.c_str(), 0);
}

}  // namespace wsproxy::io
