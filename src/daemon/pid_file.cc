#include "daemon/pid_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string_view>

#include "base/log.h"

namespace wsproxy::daemon {
namespace {

constexpr int kAttempts = 1000;  // at a file that its last owner removes while we open it
constexpr mode_t kMode = 0644;

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool is_trusted(uid_t owner, uid_t daemon_user) {
  return owner == 0 || owner == ::geteuid() || owner == daemon_user;
}

std::string user_text(uid_t uid) { return "user " + std::to_string(uid); }

// What the file holds: nothing if it is longer than any pid, or cannot be read.
std::optional<std::string> content_of(int fd) {
  std::array<char, 32> buffer{};
  const ssize_t n = ::pread(fd, buffer.data(), buffer.size(), 0);
  if (n < 0 || static_cast<std::size_t>(n) == buffer.size()) return {};
  return std::string(buffer.data(), static_cast<std::size_t>(n));
}

std::optional<pid_t> pid_in(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
  while (text.starts_with(' ')) text.remove_prefix(1);  // some pad it
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), pid);
  if (error != std::errc() || end != text.end() || pid <= 0) return {};
  return pid;
}

Result<UniqueFd> open_directory(const std::string& path, uid_t daemon_user) {
  // O_PATH: to look names up in it takes no right to list them
  UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) return fail(Errc::Io, "directory " + path, errno);
  if (!is_trusted(info.st_uid, daemon_user)) {
    return fail(Errc::Invalid, "directory " + path + " belongs to " + user_text(info.st_uid));
  }
  // Not even a sticky one will do: others could put a file there before us.
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(Errc::Invalid, "directory " + path + " can be written to by others");
  }
  return fd;
}

Result<UniqueFd> open_file(int directory, const std::string& name) {
  // O_NONBLOCK: should somebody have put a FIFO there
  UniqueFd fd(::openat(directory, name.c_str(),
                       O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, kMode));
  if (fd) return fd;
  const int error = errno;
  struct stat info{};
  if (error == ELOOP) return fail(Errc::Invalid, "is a symbolic link");
  if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
      !S_ISREG(info.st_mode)) {
    return fail(Errc::Invalid, "is no regular file");
  }
  return fail(Errc::Io, "cannot open", error);
}

}  // namespace

Result<PidFile> PidFile::create(const std::string& path, uid_t daemon_user) {
  const auto at = [&](const Error& error) { return std::unexpected(error.in("pid file " + path)); };
  const std::size_t slash = path.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : path.substr(0, slash == 0 ? 1 : slash);
  PidFile made;
  made.name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  if (made.name_.empty() || made.name_ == "." || made.name_ == "..") {
    return at({Errc::Invalid, 0, "is no name of a file"});
  }
  auto directory = open_directory(folder, daemon_user);
  if (!directory) return at(directory.error());
  made.directory_ = std::move(*directory);

  for (int attempt = 0;; ++attempt) {
    auto file = open_file(made.directory_.get(), made.name_);
    if (!file) return at(file.error());
    made.file_ = std::move(*file);
    if (auto locked = made.lock(daemon_user); !locked) return at(locked.error());
    if (made.is_ours()) break;
    // the one before us removed it after we had opened it: what we hold has no name any more
    if (attempt == kAttempts) return at({Errc::Io, EAGAIN, "comes and goes"});
  }
  if (auto usable = made.look_at_content(path); !usable) return at(usable.error());
  if (auto written = made.write_pid(); !written) return at(written.error());
  made.owner_ = ::getpid();
  return made;
}

Status PidFile::lock(uid_t daemon_user) const {
  struct stat info{};
  if (::fstat(file_.get(), &info) != 0) return fail(Errc::Io, "fstat", errno);
  if (!S_ISREG(info.st_mode)) return fail(Errc::Invalid, "is no regular file");
  if (info.st_nlink > 1) return fail(Errc::Invalid, "has a second name (a hard link)");
  if (!is_trusted(info.st_uid, daemon_user)) {
    return fail(Errc::Invalid, "belongs to " + user_text(info.st_uid));
  }
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK) return fail(Errc::Io, "cannot lock", errno);
  const auto pid = pid_in(content_of(file_.get()).value_or(""));
  // in the moment between its lock and its pid there is no number to read
  return fail(Errc::Refused, pid ? "already running: process " + std::to_string(*pid) + " holds it"
                                 : "another process holds it");
}

Status PidFile::look_at_content(const std::string& path) const {
  const auto content = content_of(file_.get());
  if (content && content->empty()) return {};
  const auto pid = pid_in(content.value_or(""));
  // Somebody's other file, named by mistake, must not be overwritten.
  if (!pid) return fail(Errc::Invalid, "holds something else than the number of a process");
  log::warning(
      "pid file %s was left behind by process %d, which does not hold it any more: taken over",
      path.c_str(), static_cast<int>(*pid));
  return {};
}

Status PidFile::write_pid() {
  const std::string text = std::to_string(::getpid()) + "\n";
  // open() went by the umask, and whoever asks for the status need not be root
  if (::fchmod(file_.get(), kMode) != 0) return fail(Errc::Io, "chmod", errno);
  if (::ftruncate(file_.get(), 0) != 0) return fail(Errc::Io, "cannot write", errno);
  const ssize_t n = ::pwrite(file_.get(), text.data(), text.size(), 0);
  if (n == static_cast<ssize_t>(text.size())) return {};
  const int error = n < 0 ? errno : ENOSPC;
  if (is_ours()) ::unlinkat(directory_.get(), name_.c_str(), 0);
  return fail(Errc::Io, "cannot write", error);
}

bool PidFile::is_ours() const {
  struct stat open_one{};
  struct stat named{};
  return ::fstat(file_.get(), &open_one) == 0 &&
         ::fstatat(directory_.get(), name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         same_file(open_one, named);
}

PidFile& PidFile::operator=(PidFile&& other) noexcept {
  if (this == &other) return *this;
  remove();
  directory_ = std::move(other.directory_);
  file_ = std::move(other.file_);
  name_ = std::move(other.name_);
  owner_ = other.owner_;
  return *this;
}

void PidFile::remove() {
  // a child that ends by exit() has a copy of us
  if (file_ && owner_ == ::getpid()) {
    const bool gone =
        directory_ && is_ours() && ::unlinkat(directory_.get(), name_.c_str(), 0) == 0;
    // The file is ours whatever the name stands for now. Emptied, it tells nobody to signal a pid
    // that may soon be another process's.
    if (!gone) (void)!::ftruncate(file_.get(), 0);
  }
  file_.reset();  // and with it, the lock
  directory_.reset();
}

}  // namespace wsproxy::daemon
