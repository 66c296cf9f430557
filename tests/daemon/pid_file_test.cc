#include "daemon/pid_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <new>
#include <string>
#include <vector>

#include "daemon/privileges.h"
#include "support/child.h"
#include "support/descriptors.h"
#include "support/log_capture.h"
#include "support/temp_dir.h"

namespace wsproxy::daemon {
namespace {

using test::in_child;
using test::LogCapture;
using test::read_all;
using test::TempDir;
using test::write_text;

constexpr uid_t kStranger = 54321;

bool has(const std::string& text, const std::string& piece) {
  return text.find(piece) != std::string::npos;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string our_pid() { return std::to_string(::getpid()) + "\n"; }

std::string error_of(const Result<PidFile>& file) { return file ? "" : file.error().message(); }

// Errors name the file, and what was there stays as it was.
void expect_refused(const std::string& path, const std::string& why) {
  const std::string text = error_of(PidFile::create(path));
  EXPECT_TRUE(has(text, "pid file " + path)) << text;
  EXPECT_TRUE(has(text, why)) << text;
}

TEST(PidFile, HoldsOurPidReadableForAllWhateverTheUmask) {
  const TempDir dir;
  const mode_t before = ::umask(0077);
  const auto file = PidFile::create((dir / "pid"));
  ::umask(before);
  ASSERT_TRUE(file) << error_of(file);
  EXPECT_EQ(read_all((dir / "pid")), our_pid());
  struct stat info{};
  ASSERT_EQ(::stat((dir / "pid").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0644U);
}

TEST(PidFile, IsGoneWhenTheDaemonEnds) {
  const TempDir dir;
  {
    ASSERT_TRUE(PidFile::create((dir / "pid")));
  }
  EXPECT_FALSE(exists((dir / "pid")));
}

TEST(PidFile, IsGoneAlsoByARelativePathAfterChdir) {
  const TempDir dir;
  EXPECT_EQ(in_child([&] {
              if (::chdir(dir.path().c_str()) != 0) return std::string("chdir");
              auto file = PidFile::create("pid");
              if (!file) return error_of(file);
              if (!exists((dir / "pid"))) return std::string("not there");
              if (::chdir("/") != 0) return std::string("chdir");
              file->remove();
              file->remove();  // once more does no harm
              return std::string(exists((dir / "pid")) ? "still there" : "gone");
            }),
            "gone");
}

TEST(PidFile, MovesWithItsOwner) {
  const TempDir dir;
  auto first = PidFile::create((dir / "a"));
  auto second = PidFile::create((dir / "b"));
  ASSERT_TRUE(first && second);
  *first = std::move(*second);
  EXPECT_FALSE(exists((dir / "a")));
  EXPECT_TRUE(exists((dir / "b")));
  first->remove();
  EXPECT_FALSE(exists((dir / "b")));
}

TEST(PidFile, IsLockedForOthersToSee) {
  const TempDir dir;
  const auto file = PidFile::create((dir / "pid"));
  ASSERT_TRUE(file);
  const UniqueFd other(::open((dir / "pid").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(::flock(other.get(), LOCK_SH | LOCK_NB), -1);
  EXPECT_EQ(errno, EWOULDBLOCK);
}

TEST(PidFile, IsNotInheritedByPrograms) {
  const TempDir dir;
  const auto before = test::inheritable_descriptors();
  const auto file = PidFile::create((dir / "pid"));
  ASSERT_TRUE(file);
  EXPECT_EQ(test::inheritable_descriptors(), before);
}

TEST(PidFile, HeldByALiveProcessIsAnErrorThatNamesIt) {
  const TempDir dir;
  const auto file = PidFile::create((dir / "pid"));
  ASSERT_TRUE(file);
  const auto second = PidFile::create((dir / "pid"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::Refused);
  EXPECT_TRUE(has(error_of(second), "already running: process " + std::to_string(::getpid())));
  EXPECT_EQ(read_all((dir / "pid")), our_pid());
}

TEST(PidFile, LeftBehindIsTakenOverWithALine) {
  const TempDir dir;
  LogCapture log;
  // a live process that does not hold it: numbers are used again
  for (const std::string& text :
       {std::string("1\n"), std::string("4194303"), std::string("   99 \n")}) {
    write_text((dir / "pid"), text);
    const auto file = PidFile::create((dir / "pid"));
    ASSERT_TRUE(file) << error_of(file);
    EXPECT_EQ(read_all((dir / "pid")), our_pid());
    const std::string said = log.take();
    EXPECT_TRUE(has(said, (dir / "pid"))) << said;
    EXPECT_TRUE(has(said, "process " + std::to_string(std::stoi(text)))) << said;
  }
}

TEST(PidFile, OfAKilledDaemonIsTakenOver) {
  const TempDir dir;
  LogCapture log;
  std::string text = in_child([&] {
    const auto file = PidFile::create((dir / "pid"));
    ::raise(SIGKILL);
    return error_of(file);
  });
  EXPECT_EQ(text, "ended: 9");
  EXPECT_TRUE(exists((dir / "pid")));
  const auto file = PidFile::create((dir / "pid"));
  EXPECT_TRUE(file) << error_of(file);
  EXPECT_TRUE(has(log.take(), "left behind"));
}

TEST(PidFile, EmptyIsTakenWithoutALine) {
  const TempDir dir;
  LogCapture log;
  write_text((dir / "pid"), "");
  ASSERT_TRUE(PidFile::create((dir / "pid")));
  EXPECT_EQ(log.take(), "");
}

TEST(PidFile, AnyOtherContentIsNotOverwritten) {
  const TempDir dir;
  for (const std::string& text :
       {std::string("root:x:0:0\n"), std::string("12 34\n"), std::string("0\n"),
        std::string("-5\n"), std::string("\n"), std::string(40, '1')}) {
    write_text((dir / "pid"), text);
    expect_refused((dir / "pid"), "something else");
    EXPECT_EQ(read_all((dir / "pid")), text);
  }
}

TEST(PidFile, SymbolicLinkIsRefused) {
  const TempDir dir;
  write_text((dir / "victim"), "1\n");
  ASSERT_EQ(::symlink((dir / "victim").c_str(), (dir / "pid").c_str()), 0);
  expect_refused((dir / "pid"), "symbolic link");
  EXPECT_EQ(read_all((dir / "victim")), "1\n");
  ASSERT_EQ(::symlink((dir / "nowhere").c_str(), (dir / "dangling").c_str()), 0);
  expect_refused((dir / "dangling"), "symbolic link");
  EXPECT_FALSE(exists((dir / "nowhere")));
}

TEST(PidFile, HardLinkIsRefused) {
  const TempDir dir;
  write_text((dir / "victim"), "1\n");
  ASSERT_EQ(::link((dir / "victim").c_str(), (dir / "pid").c_str()), 0);
  expect_refused((dir / "pid"), "hard link");
  EXPECT_EQ(read_all((dir / "victim")), "1\n");
}

TEST(PidFile, WhatIsNoFileIsRefused) {
  const TempDir dir;
  ASSERT_EQ(::mkdir((dir / "directory").c_str(), 0700), 0);
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  expect_refused((dir / "directory"), "no regular file");
  expect_refused((dir / "fifo"), "no regular file");
  expect_refused(dir.path() + "/", "no name of a file");
  expect_refused((dir / ".."), "no name of a file");
  expect_refused("", "no name of a file");
}

TEST(PidFile, DirectoryThatOthersMayWriteToIsRefused) {
  const TempDir dir;
  for (const mode_t mode : {0777U, 0770U, 01777U, 0757U}) {
    ASSERT_EQ(::chmod(dir.path().c_str(), mode), 0);
    expect_refused((dir / "pid"), "can be written to by others");
  }
  EXPECT_FALSE(exists((dir / "pid")));
  ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
  EXPECT_TRUE(PidFile::create((dir / "pid")));
}

TEST(PidFile, DirectoryThatIsNotThereIsNamed) {
  const TempDir dir;
  expect_refused((dir / "missing/pid"), "directory " + (dir / "missing") + ": no such file");
}

TEST(PidFile, ReplacedMeanwhileStaysWhereItIs) {
  const TempDir dir;
  auto file = PidFile::create((dir / "pid"));
  ASSERT_TRUE(file);
  write_text((dir / "other"), "77\n");
  ASSERT_EQ(::rename((dir / "other").c_str(), (dir / "pid").c_str()), 0);
  file->remove();
  EXPECT_EQ(read_all((dir / "pid")), "77\n");
}

TEST(PidFile, RemovedMeanwhileIsNoTrouble) {
  const TempDir dir;
  auto file = PidFile::create((dir / "pid"));
  ASSERT_TRUE(file);
  ASSERT_EQ(::unlink((dir / "pid").c_str()), 0);
  file->remove();
  EXPECT_FALSE(exists((dir / "pid")));
}

TEST(PidFile, OfAParentStaysWhenAChildEnds) {
  const TempDir dir;
  auto file = PidFile::create((dir / "pid"));
  ASSERT_TRUE(file);
  in_child([&] {
    file->remove();
    return std::string();
  });
  EXPECT_EQ(read_all((dir / "pid")), our_pid());
  EXPECT_TRUE(has(error_of(PidFile::create((dir / "pid"))), "already running"))
      << "the lock stays, too";
}

TEST(PidFile, WithoutItsDirectoryIsEmptied) {
  const TempDir dir;
  auto file = PidFile::create((dir / "pid"));
  ASSERT_TRUE(file);
  file->leave_directory();
  file->remove();
  EXPECT_TRUE(exists((dir / "pid")));
  EXPECT_EQ(read_all((dir / "pid")), "");
}

// Many come and go at once: at no time do two of them hold it.
TEST(PidFile, NeverHasTwoHolders) {
  const TempDir dir;
  void* shared = ::mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto* holders = new (shared) std::atomic<int>(0);
  std::vector<pid_t> children;
  for (int child = 0; child < 4; ++child) {
    const pid_t pid = ::fork();
    if (pid > 0) {
      children.push_back(pid);
      continue;
    }
    LogCapture log;  // one of its own
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (int held = 0; held < 100;) {
      if (std::chrono::steady_clock::now() > end) ::_exit(4);
      auto file = PidFile::create(dir / "pid");
      if (!file && file.error().code != Errc::Refused) {
        std::fprintf(stderr, "%s\n", error_of(file).c_str());
        ::_exit(2);
      }
      if (!log.take().empty()) ::_exit(5);
      if (!file) continue;
      ++held;
      if (holders->fetch_add(1) != 0) ::_exit(3);
      holders->fetch_sub(1);
    }
    ::_exit(0);
  }
  for (const pid_t pid : children) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0) << "2: an error, 3: two holders, 4: starved, 5: taken for a crash";
  }
  ::munmap(shared, sizeof(std::atomic<int>));
}

// ---- what takes root to try

class PidFileAsRoot : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  static Identity stranger() { return {kStranger, kStranger, {kStranger}, "stranger"}; }
};

TEST_F(PidFileAsRoot, DirectoryOfSomebodyElseIsRefusedButNotTheDaemonUsers) {
  const TempDir dir;
  ASSERT_EQ(::chown(dir.path().c_str(), kStranger, 0), 0);
  expect_refused((dir / "pid"), "belongs to user 54321");
  EXPECT_TRUE(PidFile::create((dir / "pid"), kStranger));
}

TEST_F(PidFileAsRoot, FileOfSomebodyElseIsRefused) {
  const TempDir dir;
  write_text((dir / "pid"), "1\n");
  ASSERT_EQ(::chown((dir / "pid").c_str(), kStranger, 0), 0);
  expect_refused((dir / "pid"), "belongs to user 54321");
  EXPECT_EQ(read_all((dir / "pid")), "1\n");
}

TEST_F(PidFileAsRoot, IsRemovedFromTheUsersDirectoryEvenInAChroot) {
  const TempDir dir;
  const TempDir jail;
  ASSERT_EQ(::chown(dir.path().c_str(), kStranger, 0), 0);
  ASSERT_EQ(::chmod(jail.path().c_str(), 0755), 0);
  EXPECT_EQ(in_child([&] {
              auto file = PidFile::create((dir / "pid"), kStranger);
              if (!file) return error_of(file);
              if (auto done = drop_privileges(stranger(), jail.path()); !done)
                return done.error().message();
              file->remove();
              return std::string("done");
            }),
            "done");
  EXPECT_FALSE(exists((dir / "pid")));
}

TEST_F(PidFileAsRoot, IsEmptiedInRootsDirectoryAndTakenSilentlyByTheNext) {
  const TempDir dir;
  EXPECT_EQ(in_child([&] {
              auto file = PidFile::create((dir / "pid"), kStranger);
              if (!file) return error_of(file);
              if (auto done = drop_privileges(stranger(), ""); !done) return done.error().message();
              file->remove();
              return std::string("done");
            }),
            "done");
  ASSERT_TRUE(exists((dir / "pid")));
  EXPECT_EQ(read_all((dir / "pid")), "");
  LogCapture log;
  EXPECT_TRUE(PidFile::create((dir / "pid"), kStranger));
  EXPECT_EQ(log.take(), "");
}

}  // namespace
}  // namespace wsproxy::daemon
