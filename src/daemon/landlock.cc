#include "daemon/landlock.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace wsproxy::daemon {
namespace {

namespace fs = std::filesystem;

// <linux/landlock.h>, which older systems have in part or not at all: what is missing there can still be in
// the kernel that we run on.
struct RulesetAttributes {
  std::uint64_t files;
  std::uint64_t ports;
};
struct [[gnu::packed]] PathRule {
  std::uint64_t rights;
  std::int32_t fd;
};
struct PortRule {
  std::uint64_t rights;
  std::uint64_t port;
};
constexpr unsigned kVersionFlag = 1;
constexpr int kPathRule = 1;
constexpr int kPortRule = 2;

constexpr std::uint64_t kWriteFile = 1U << 1;
constexpr std::uint64_t kReadFile = 1U << 2;
constexpr std::uint64_t kReadDirectory = 1U << 3;
constexpr std::uint64_t kRemoveFile = 1U << 5;
constexpr std::uint64_t kMakeFile = 1U << 8;
constexpr std::uint64_t kTruncate = 1U << 14;
constexpr std::uint64_t kIoctl = 1U << 15;
constexpr std::uint64_t kForFiles = 1U | kWriteFile | kReadFile | kTruncate | kIoctl;

constexpr std::uint64_t kBind = 1U << 0;
constexpr std::uint64_t kConnect = 1U << 1;

constexpr int kMaxLinks = 40;  // as the kernel

// All rights over files that this version knows, in the order of their numbers.
std::uint64_t all_rights(int abi) {
  constexpr int kRightsOf[] = {0, 13, 14, 15, 15, 16};
  return (std::uint64_t{1} << kRightsOf[std::min(abi, 5)]) - 1;
}

UniqueFd create_ruleset(std::uint64_t files, std::uint64_t ports, int abi) {
  const RulesetAttributes attributes{files, ports};
  const std::size_t size = abi < 4 ? sizeof attributes.files : sizeof attributes;
  const int fd = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0U));
  if (fd >= 0) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return UniqueFd(fd);
}

Status restrict_self(int ruleset) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail(Errc::Io, "prctl PR_SET_NO_NEW_PRIVS", errno);
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset, 0U) != 0) {
    return fail(Errc::Io, "cannot limit files and ports (Landlock)", errno);
  }
  return {};
}

// Too much is in there for all of it to be readable.
bool is_broad(const fs::path& directory) {
  const char* home = std::getenv("HOME");
  if (home != nullptr && directory == fs::path(home).lexically_normal()) return true;
  return directory.relative_path().empty() || !directory.relative_path().has_parent_path();
}

}  // namespace

int landlock_abi() {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0UL, kVersionFlag);
  return version < 0 ? 0 : static_cast<int>(version);
}

FileRules::FileRules() : abi_(landlock_abi()) {
  if (abi_ > 0) ruleset_ = create_ruleset(all_rights(abi_), 0, abi_);
}

void FileRules::allow(const std::string& path, std::uint64_t rights) {
  if (!ruleset_) return;
  const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) return;
  rights &= all_rights(abi_) & (S_ISDIR(info.st_mode) ? ~std::uint64_t{0} : kForFiles);
  const PathRule rule{rights, fd.get()};
  ::syscall(SYS_landlock_add_rule, ruleset_.get(), kPathRule, &rule, 0U);
}

void FileRules::may_read(const std::string& path) { allow(path, kReadFile | kReadDirectory); }
void FileRules::may_use(const std::string& device) { allow(device, kReadFile | kWriteFile); }
void FileRules::may_remove_in(const std::string& directory) { allow(directory, kRemoveFile); }

void FileRules::may_write_in(const std::string& directory) {
  allow(directory, kWriteFile | kMakeFile | kTruncate);
}

void FileRules::may_read_replaced(const std::string& path) {
  std::error_code error;
  fs::path at = fs::absolute(path, error);
  for (int i = 0; i < kMaxLinks && !error && !at.empty(); ++i) {
    const fs::path folder = fs::canonical(at.parent_path(), error);
    if (error) return;
    may_read(is_broad(folder) ? at : folder);
    std::error_code no_link;
    const fs::path next = fs::read_symlink(at, no_link);
    if (no_link) return;
    at = next.is_absolute() ? next : folder / next;
  }
}

Status FileRules::enforce() {
  if (!ruleset_) return {};
  const UniqueFd ruleset = std::move(ruleset_);
  return restrict_self(ruleset.get());
}

Status limit_tcp(const std::vector<std::uint16_t>& ports, bool all_ports) {
  const int abi = landlock_abi();
  if (abi < 4) return {};
  const UniqueFd ruleset = create_ruleset(0, all_ports ? kBind : kBind | kConnect, abi);
  if (!ruleset) return fail(Errc::Io, "cannot limit ports (Landlock)", errno);
  for (const std::uint16_t port : ports) {
    const PortRule rule{kConnect, port};
    if (!all_ports) ::syscall(SYS_landlock_add_rule, ruleset.get(), kPortRule, &rule, 0U);
  }
  return restrict_self(ruleset.get());
}

bool is_out_of_reach(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (fd || errno != EACCES) return false;
  // the permissions are looked at by this call, and Landlock is not
  return ::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0;
}

}  // namespace wsproxy::daemon
