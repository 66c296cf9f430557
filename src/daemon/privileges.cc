#include "daemon/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

namespace wsproxy::daemon {
namespace {

constexpr std::size_t kMaxEntryBytes = std::size_t{1} << 20;  // a group of many members

// A number, all of it, and not -1: that means "leave it" to the calls that would get it.
std::optional<uid_t> number_in(std::string_view text) {
  uid_t value = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  if (error != std::errc() || end != text.end() || value == static_cast<uid_t>(-1)) return {};
  return value;
}

struct User {
  uid_t uid;
  gid_t gid;
  std::string name;
};

// The entry that `query` finds; nothing when there is none. `query` is getpwnam_r and its like.
template <typename Entry, typename Query>
Result<std::optional<Entry>> find_entry(const Query& query, std::vector<char>& room) {
  room.resize(4096);
  while (true) {
    Entry entry{};
    Entry* found = nullptr;
    const int error = query(&entry, room.data(), room.size(), &found);
    if (error == ERANGE && room.size() < kMaxEntryBytes) {
      room.resize(room.size() * 4);
      continue;
    }
    if (found != nullptr) return entry;
    // how databases say that they do not know the name, besides 0 (getpwnam(3))
    if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM) {
      return std::nullopt;
    }
    return fail(Errc::Io, "the user database failed", error);
  }
}

Result<std::optional<User>> find_user(const std::string& text) {
  std::vector<char> room;
  auto entry = find_entry<passwd>(
      [&](passwd* into, char* buffer, std::size_t size, passwd** found) {
        return ::getpwnam_r(text.c_str(), into, buffer, size, found);
      },
      room);
  const auto number = number_in(text);
  if (entry && !*entry && number) {
    entry = find_entry<passwd>(
        [&](passwd* into, char* buffer, std::size_t size, passwd** found) {
          return ::getpwuid_r(*number, into, buffer, size, found);
        },
        room);
  }
  if (!entry) return std::unexpected(entry.error());
  if (!*entry) return std::nullopt;
  return User{(*entry)->pw_uid, (*entry)->pw_gid, (*entry)->pw_name};
}

Result<gid_t> find_group(const std::string& text) {
  std::vector<char> room;
  const auto entry = find_entry<group>(
      [&](group* into, char* buffer, std::size_t size, group** found) {
        return ::getgrnam_r(text.c_str(), into, buffer, size, found);
      },
      room);
  if (!entry) return std::unexpected(entry.error());
  if (*entry) return (*entry)->gr_gid;
  if (const auto number = number_in(text)) return *number;
  return fail(Errc::NotFound, "there is no group '" + text + "'");
}

std::vector<gid_t> groups_of(const std::string& name, gid_t gid) {
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  while (::getgrouplist(name.c_str(), gid, groups.data(), &count) < 0) {
    groups.resize(std::max(static_cast<std::size_t>(count), groups.size() * 2));
    count = static_cast<int>(groups.size());
  }
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

Status failed(const std::string& what) {
  const int error = errno;
  return fail(Errc::Io, what, error);
}

Status enter_chroot(const std::string& directory) {
  if (::chroot(directory.c_str()) != 0) return failed("chroot to " + directory);
  if (::chdir("/") != 0) return failed("chdir to / in " + directory);
  return {};
}

// What a program run later could get back, were there a way to privileges at all.
Status empty_bounding_set() {
  for (int capability = 0;; ++capability) {
    const int state = ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (state < 0) return {};  // that was the last one that this kernel knows
    if (state == 0 || ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
    // the root of some containers has no CAP_SETPCAP: PR_SET_NO_NEW_PRIVS has to do there
    if (errno != EPERM) return failed("drop capability " + std::to_string(capability));
  }
}

Status empty_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return failed("drop all capabilities");
  return {};
}

Status change_ids(const Identity& identity) {
  if (::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0) return failed("prctl PR_SET_KEEPCAPS");
  if (auto done = empty_bounding_set(); !done) return done;
  if (::setgroups(identity.groups.size(), identity.groups.data()) != 0) return failed("setgroups");
  if (::setresgid(identity.gid, identity.gid, identity.gid) != 0) return failed("setresgid");
  if (::setresuid(identity.uid, identity.uid, identity.uid) != 0) return failed("setresuid");
  return empty_capabilities();
}

Status prove_ids(const Identity& identity) {
  uid_t real = 0;
  uid_t effective = 0;
  uid_t saved = 0;
  if (::getresuid(&real, &effective, &saved) != 0 || real != identity.uid ||
      effective != identity.uid || saved != identity.uid) {
    return fail(Errc::Invalid, "the user is still another");
  }
  gid_t real_group = 0;
  gid_t effective_group = 0;
  gid_t saved_group = 0;
  if (::getresgid(&real_group, &effective_group, &saved_group) != 0 || real_group != identity.gid ||
      effective_group != identity.gid || saved_group != identity.gid) {
    return fail(Errc::Invalid, "the group is still another");
  }
  return {};
}

Status prove_no_way_back() {
  if (::setuid(0) == 0 || ::seteuid(0) == 0 || ::setresuid(0, 0, 0) == 0) {
    return fail(Errc::Invalid, "root can be regained");
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return failed("read the capabilities");
  for (const auto& set : sets) {
    if (set.effective != 0 || set.permitted != 0 || set.inheritable != 0) {
      return fail(Errc::Invalid, "there are capabilities left");
    }
  }
  return {};
}

Status change_to(const Identity& identity, const std::string& chroot_dir) {
  if (identity.uid == 0) return fail(Errc::Invalid, "root has no privileges to drop");
  const bool root = ::geteuid() == 0;
  if (!root && !chroot_dir.empty()) return fail(Errc::Invalid, "--chroot needs a start as root");
  if (root && !chroot_dir.empty()) {
    if (auto done = enter_chroot(chroot_dir); !done) return done;
  }
  if (auto done = root ? change_ids(identity) : empty_capabilities(); !done) return done;
  if (auto done = prove_ids(identity); !done) return done;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("prctl PR_SET_NO_NEW_PRIVS");
  return prove_no_way_back();
}

}  // namespace

Result<Identity> look_up_identity(const std::string& user, const std::string& group) {
  auto found = find_user(user);
  if (!found) return std::unexpected(found.error().in("user '" + user + "'"));
  Identity identity;
  identity.name = user;
  if (*found) {
    identity.uid = (*found)->uid;
    identity.gid = (*found)->gid;
  } else if (const auto number = number_in(user)) {
    if (group.empty()) {
      return fail(Errc::Invalid, "user " + user + " is not in the user database: name a group too");
    }
    identity.uid = *number;
  } else {
    return fail(Errc::NotFound, "there is no user '" + user + "'");
  }
  if (!group.empty()) {
    const auto gid = find_group(group);
    if (!gid) return std::unexpected(gid.error());
    identity.gid = *gid;
  }
  if (identity.uid == 0) {
    return fail(Errc::Invalid, "user '" + user + "' is root: name one without privileges");
  }
  if (::geteuid() != 0 &&
      (identity.uid != ::geteuid() || ::getuid() != ::geteuid() || identity.gid != ::getegid())) {
    const std::string what =
        identity.uid == ::geteuid() ? "use group '" + group : "become user '" + user;
    return fail(Errc::Invalid, "only root can " + what + "'");
  }
  identity.groups = *found ? groups_of((*found)->name, identity.gid) : std::vector{identity.gid};
  return identity;
}

Status drop_privileges(const Identity& identity, const std::string& chroot_dir) {
  auto done = change_to(identity, chroot_dir);
  if (!done) return std::unexpected(done.error().in("cannot become user '" + identity.name + "'"));
  return {};
}

std::string root_warning() {
  if (::geteuid() != 0) return {};
  return "running as root: with --user NAME it needs root only to start";
}

}  // namespace wsproxy::daemon
