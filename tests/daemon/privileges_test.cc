#include "daemon/privileges.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <sstream>
#include <string>

#include "support/child.h"
#include "support/temp_dir.h"

namespace wsproxy::daemon {
namespace {

using test::in_child;
using test::TempDir;

constexpr uid_t kStranger = 54321;  // in no database

bool has(const std::string& text, const std::string& piece) {
  return text.find(piece) != std::string::npos;
}

std::string error_of(const Result<Identity>& identity) {
  return identity ? "" : identity.error().message();
}

// The value of one line of /proc/self/status, its blanks made single spaces.
std::string status_line(const std::string& key) {
  std::istringstream lines(test::read_all("/proc/self/status"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key + ":")) continue;
    std::istringstream words(line.substr(key.size() + 1));
    std::string value;
    for (std::string word; words >> word;) value += (value.empty() ? "" : " ") + word;
    return value;
  }
  return "none";
}

Identity stranger() { return {kStranger, kStranger, {kStranger}, std::to_string(kStranger)}; }

class Privileges : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
};

// ---- looking up

TEST_F(Privileges, UserComesWithItsGroups) {
  const auto identity = look_up_identity("nobody", "");
  ASSERT_TRUE(identity) << error_of(identity);
  const passwd* nobody = ::getpwnam("nobody");
  ASSERT_NE(nobody, nullptr);
  EXPECT_EQ(identity->uid, nobody->pw_uid);
  EXPECT_EQ(identity->gid, nobody->pw_gid);
  EXPECT_EQ(identity->name, "nobody");
  EXPECT_EQ(identity->groups, std::vector<gid_t>{nobody->pw_gid});
}

TEST_F(Privileges, UserByNumberIsTheSame) {
  const auto by_name = look_up_identity("nobody", "");
  ASSERT_TRUE(by_name);
  const auto by_number = look_up_identity(std::to_string(by_name->uid), "");
  ASSERT_TRUE(by_number) << error_of(by_number);
  EXPECT_EQ(by_number->uid, by_name->uid);
  EXPECT_EQ(by_number->gid, by_name->gid);
  EXPECT_EQ(by_number->groups, by_name->groups);
}

TEST_F(Privileges, GroupByNameOrNumberReplacesTheUsersOwn) {
  const group* daemon = ::getgrnam("daemon");
  ASSERT_NE(daemon, nullptr);
  const gid_t gid = daemon->gr_gid;
  for (const std::string& text : {std::string("daemon"), std::to_string(gid)}) {
    const auto identity = look_up_identity("nobody", text);
    ASSERT_TRUE(identity) << error_of(identity);
    EXPECT_EQ(identity->gid, gid);
    EXPECT_EQ(identity->groups, std::vector<gid_t>{gid});
  }
}

TEST_F(Privileges, NumberWithoutEntryNeedsAGroup) {
  EXPECT_TRUE(has(error_of(look_up_identity("54321", "")), "group"));
  const auto identity = look_up_identity("54321", "54322");
  ASSERT_TRUE(identity) << error_of(identity);
  EXPECT_EQ(identity->uid, 54321U);
  EXPECT_EQ(identity->gid, 54322U);
  EXPECT_EQ(identity->groups, std::vector<gid_t>{54322});
}

TEST_F(Privileges, UnknownNamesAreNamedInTheError) {
  EXPECT_TRUE(has(error_of(look_up_identity("no-such-user", "")), "no user 'no-such-user'"));
  EXPECT_TRUE(
      has(error_of(look_up_identity("nobody", "no-such-group")), "no group 'no-such-group'"));
  for (const char* text : {"", "12x", "-1", "4294967295", "99999999999999999999", " 1"}) {
    EXPECT_TRUE(has(error_of(look_up_identity(text, "daemon")), "there is no user")) << text;
  }
}

TEST_F(Privileges, RootIsNobodyToBecome) {
  EXPECT_TRUE(has(error_of(look_up_identity("root", "")), "is root"));
  EXPECT_TRUE(has(error_of(look_up_identity("0", "daemon")), "is root"));
  Identity root = stranger();
  root.uid = 0;
  EXPECT_NE(in_child([&] { return std::string(drop_privileges(root, "") ? "" : "refused"); }), "");
}

// ---- dropping

TEST_F(Privileges, NothingIsLeftAfterTheDrop) {
  const std::string after = in_child([] {
    const std::array<gid_t, 3> groups = {0, 4, 27};
    if (::setgroups(groups.size(), groups.data()) != 0) return std::string("setgroups");
    Identity identity = stranger();
    identity.groups = {kStranger, kStranger + 1};
    if (auto done = drop_privileges(identity, ""); !done) return done.error().message();
    std::string text;
    for (const char* key :
         {"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs"}) {
      text += std::string(key) + " " + status_line(key) + "\n";
    }
    return text;
  });
  EXPECT_EQ(after,
            "Uid 54321 54321 54321 54321\n"
            "Gid 54321 54321 54321 54321\n"
            "Groups 54321 54322\n"
            "CapInh 0000000000000000\n"
            "CapPrm 0000000000000000\n"
            "CapEff 0000000000000000\n"
            "CapAmb 0000000000000000\n"
            "NoNewPrivs 1\n");
}

TEST_F(Privileges, BoundingSetIsEmptyWhereItMayBe) {
  if (::prctl(PR_CAPBSET_READ, 8 /* CAP_SETPCAP */, 0, 0, 0) != 1)
    GTEST_SKIP() << "needs CAP_SETPCAP";
  EXPECT_EQ(in_child([] {
              if (auto done = drop_privileges(stranger(), ""); !done) return done.error().message();
              return status_line("CapBnd");
            }),
            "0000000000000000");
}

TEST_F(Privileges, RootCannotBeRegained) {
  EXPECT_EQ(in_child([] {
              if (auto done = drop_privileges(stranger(), ""); !done) return done.error().message();
              std::string regained;
              if (::setuid(0) == 0) regained += "setuid ";
              if (::seteuid(0) == 0) regained += "seteuid ";
              if (::setresuid(static_cast<uid_t>(-1), 0, static_cast<uid_t>(-1)) == 0)
                regained += "setresuid ";
              if (::setgid(0) == 0) regained += "setgid ";
              if (::setgroups(0, nullptr) == 0) regained += "setgroups ";
              if (::chroot("/") == 0) regained += "chroot ";
              return regained + std::to_string(::getuid());
            }),
            "54321");
}

// Such bits come along from a parent and have setresuid() leave all capabilities.
TEST_F(Privileges, CapabilitiesGoEvenWhenSecureBitsWouldKeepThem) {
  EXPECT_EQ(in_child([] {
              if (::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS) != 0) {
                return std::string("0000000000000000");  // a container that may not
              }
              if (auto done = drop_privileges(stranger(), ""); !done) return done.error().message();
              return status_line("CapPrm");
            }),
            "0000000000000000");
}

TEST_F(Privileges, ChrootIsEnteredBeforeTheDrop) {
  const TempDir dir;
  test::write_text((dir / "inside"), "x");
  ::chmod(dir.path().c_str(), 0755);
  EXPECT_EQ(in_child([&] {
              if (auto done = drop_privileges(stranger(), dir.path()); !done) {
                return done.error().message();
              }
              std::string seen = ::access("/inside", F_OK) == 0 ? "inside " : "";
              if (::access("inside", F_OK) == 0) seen += "cwd ";
              if (::access("/etc/passwd", F_OK) == 0) seen += "outside ";
              return seen + std::to_string(::getuid());
            }),
            "inside cwd 54321");
}

TEST_F(Privileges, ChrootThatIsNotThereIsAnErrorAndKeepsRoot) {
  const std::string text = in_child([] {
    const auto done = drop_privileges(stranger(), "/no/such/directory");
    return (done ? "done" : done.error().message()) + " " + std::to_string(::getuid());
  });
  EXPECT_TRUE(has(text, "/no/such/directory")) << text;
  EXPECT_TRUE(has(text, "no such file")) << text;
  EXPECT_TRUE(text.ends_with(" 0")) << text;
}

// ---- not root

// As somebody without privileges, as the test of a developer's account would be.
std::string as_stranger(const std::function<std::string()>& body) {
  return in_child([&] {
    const passwd* nobody = ::getpwnam("nobody");
    if (nobody == nullptr || ::setgroups(0, nullptr) != 0 ||
        ::setresgid(nobody->pw_gid, nobody->pw_gid, nobody->pw_gid) != 0 ||
        ::setresuid(nobody->pw_uid, nobody->pw_uid, nobody->pw_uid) != 0) {
      return std::string("cannot prepare");
    }
    return body();
  });
}

TEST_F(Privileges, WithoutRootOnlyTheSameUserIsAccepted) {
  EXPECT_TRUE(has(as_stranger([] { return error_of(look_up_identity("daemon", "")); }),
                  "only root can become user 'daemon'"));
  EXPECT_TRUE(has(as_stranger([] { return error_of(look_up_identity("nobody", "daemon")); }),
                  "only root can use group 'daemon'"));
  EXPECT_EQ(as_stranger([] {
              const auto identity = look_up_identity("nobody", "");
              if (!identity) return error_of(identity);
              if (auto done = drop_privileges(*identity, ""); !done) return done.error().message();
              return "NoNewPrivs " + status_line("NoNewPrivs");
            }),
            "NoNewPrivs 1");
}

TEST_F(Privileges, WithoutRootAChrootIsAnError) {
  EXPECT_TRUE(has(as_stranger([] {
                    const auto identity = look_up_identity("nobody", "");
                    if (!identity) return error_of(identity);
                    const auto done = drop_privileges(*identity, "/");
                    return done ? "done" : done.error().message();
                  }),
                  "--chroot needs a start as root"));
}

TEST_F(Privileges, WithoutRootAnotherIdentityIsNoneToProve) {
  EXPECT_TRUE(has(as_stranger([] {
                    const auto done = drop_privileges(stranger(), "");
                    return done ? "done" : done.error().message();
                  }),
                  "still another"));
}

TEST_F(Privileges, RunningAsRootIsWorthAWarning) {
  EXPECT_TRUE(has(root_warning(), "--user"));
  EXPECT_EQ(as_stranger([] { return root_warning(); }), "");
}

}  // namespace
}  // namespace wsproxy::daemon
