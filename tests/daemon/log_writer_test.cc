#include "daemon/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "support/fake_clock.h"
#include "support/temp_dir.h"

namespace wsproxy::daemon {
namespace {

using test::read_all;
using test::TempDir;

// Asks until it is so, for the writer is a process of its own.
template <typename Condition>
bool until(const Condition& condition) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

class FileOutputTest : public testing::Test {
 protected:
  WriterOptions options(const std::string& path) const {
    return {path, "--log-file", {}, {}, [](std::uint64_t lost, int sys) {
              return "lost " + std::to_string(lost) + " " + std::to_string(sys) + "\n";
            }};
  }
  std::unique_ptr<FileOutput> start(WriterOptions options) {
    auto output = FileOutput::start(std::move(options), clock_);
    EXPECT_TRUE(output) << output.error().message();
    return output ? std::move(*output) : nullptr;
  }
  std::unique_ptr<FileOutput> start(const std::string& path) { return start(options(path)); }
  std::string start_fails(const std::string& path) {
    const auto output = FileOutput::start(options(path), clock_);
    return output ? "it started" : output.error().message();
  }
  // All that the writer has told, waited for until it has something with `words` in it.
  static bool tells(FileOutput& output, const std::string& words) {
    std::string all;
    return until([&] {
      all += output.take_trouble();
      return all.find(words) != std::string::npos;
    });
  }

  TempDir dir_;
  std::string path_ = dir_ / "log";
  test::FakeClock clock_;
};

TEST_F(FileOutputTest, AppendsLinesToAFileThatOnlyItsGroupMayRead) {
  const mode_t before = ::umask(0);
  start(path_)->write("one\n");
  auto output = start(path_);
  EXPECT_TRUE(output->write("two\n"));
  output.reset();
  ::umask(before);
  EXPECT_EQ(read_all(path_), "one\ntwo\n");
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
}

TEST_F(FileOutputTest, LinesGoToANewFileAfterRenameAndReopen) {
  auto output = start(path_);
  output->write("old\n");
  std::filesystem::rename(path_, dir_ / "log.1");
  output->write("still old\n");
  output->reopen();
  output->write("new\n");
  output.reset();
  EXPECT_EQ(read_all(dir_ / "log.1"), "old\nstill old\n");
  EXPECT_EQ(read_all(path_), "new\n");
}

TEST_F(FileOutputTest, LinesGoOnToTheOldFileWhenTheNewOneCannotBeOpened) {
  auto output = start(path_);
  std::filesystem::rename(path_, dir_ / "log.1");
  std::filesystem::create_symlink("/etc/passwd", path_);
  output->reopen();
  EXPECT_TRUE(tells(*output, "--log-file " + path_ + ": is a symbolic link"));
  output->write("line\n");
  output.reset();
  EXPECT_EQ(read_all(dir_ / "log.1"), "line\n");
}

TEST_F(FileOutputTest, RefusesWhatIsNoPlainFile) {
  EXPECT_EQ(
      start_fails(dir_ / "no/log"),
      "--log-file " + (dir_ / "no/log") + ": cannot open its directory: no such file or directory");
  EXPECT_EQ(start_fails(dir_.path()), "--log-file " + dir_.path() + ": is no regular file");
  std::filesystem::create_symlink("elsewhere", dir_ / "link");
  EXPECT_EQ(start_fails(dir_ / "link"), "--log-file " + (dir_ / "link") + ": is a symbolic link");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "elsewhere"));
  start(path_);
  std::filesystem::create_hard_link(path_, dir_ / "hard");
  EXPECT_EQ(start_fails(dir_ / "hard"),
            "--log-file " + (dir_ / "hard") + ": has another name as well (a hard link)");
  ASSERT_EQ(::mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(start_fails(dir_ / "fifo"), "--log-file " + (dir_ / "fifo") + ": is no regular file");
  EXPECT_EQ(start_fails("/dev/full"), "--log-file /dev/full: is no regular file");
}

TEST_F(FileOutputTest, TakesDevNullAndStandardOutput) {
  EXPECT_TRUE(start("/dev/null")->write("line\n"));
  const UniqueFd before(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  const UniqueFd file(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ::dup2(file.get(), STDOUT_FILENO);
  auto output = start("/dev/stdout");
  ::dup2(before.get(), STDOUT_FILENO);
  output->reopen();  // it is what it was at the start
  EXPECT_TRUE(output->write("line\n"));
  output.reset();
  EXPECT_EQ(read_all(path_), "line\n");
}

TEST_F(FileOutputTest, AFullDiskLosesLinesAndSaysHowManyOnceThereIsRoom) {
  WriterOptions limited = options(path_);
  limited.after_fork = [] {
    const rlimit limit{100, 100};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    return Status();
  };
  auto output = start(limited);
  const std::string line = std::string(29, 'x') + "\n";
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(output->write(line));
  ASSERT_TRUE(tells(*output, path_ + ": lines are lost: file too large"));
  EXPECT_EQ(std::filesystem::file_size(path_), 100U);
  std::filesystem::resize_file(path_, 0);
  ASSERT_TRUE(output->write("back\n"));
  ASSERT_TRUE(tells(*output, path_ + ": 2 lines lost: file too large"));
  output.reset();
  EXPECT_EQ(read_all(path_), "\nlost 2 " + std::to_string(EFBIG) + "\nback\n");
}

TEST_F(FileOutputTest, AWriterThatStandsStillLosesLinesAndHoldsNobodyUp) {
  auto output = start(path_);
  ASSERT_EQ(::kill(output->writer(), SIGSTOP), 0);
  const std::string line = std::string(4000, 'x') + "\n";
  int taken = 0;
  while (output->write(line)) ASSERT_LT(++taken, 1000);
  EXPECT_GT(taken, 10);
  output->reopen();  // finds no room either: comes with the next line
  std::filesystem::rename(path_, dir_ / "log.1");
  ASSERT_EQ(::kill(output->writer(), SIGCONT), 0);
  ASSERT_TRUE(until([&] { return output->write("after\n"); }));
  output.reset();
  EXPECT_EQ(read_all(dir_ / "log.1").size(), static_cast<std::size_t>(taken) * line.size());
  EXPECT_EQ(read_all(path_), "after\n");
}

TEST_F(FileOutputTest, SignalsThatEndTheDaemonDoNotEndItsWriter) {
  auto output = start(path_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) {
    ASSERT_EQ(::kill(output->writer(), signal), 0);
  }
  output->write("last words\n");
  output.reset();
  EXPECT_EQ(read_all(path_), "last words\n");
}

TEST_F(FileOutputTest, WhatIsQueuedComesOutWhenTheDaemonIsKilled) {
  const pid_t daemon = ::fork();
  ASSERT_GE(daemon, 0);
  if (daemon == 0) {
    auto output = FileOutput::start(options(path_), clock_);
    if (!output) ::_exit(1);
    ::kill((*output)->writer(), SIGSTOP);
    (*output)->write("one\n");
    (*output)->write("two\n");
    ::kill((*output)->writer(), SIGCONT);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(daemon, &status, 0), daemon);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(until([&] { return read_all(path_) == "one\ntwo\n"; })) << read_all(path_);
}

TEST_F(FileOutputTest, TheWriterHoldsNoDescriptorButItsOwn) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
  const UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  auto output = start(path_);
  theirs.reset();
  char byte = 0;
  EXPECT_EQ(::recv(ours.get(), &byte, 1, MSG_DONTWAIT), 0);  // nobody else has the other end
  std::vector<std::string> open;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(output->writer()) + "/fd")) {
    open.push_back(std::filesystem::read_symlink(entry.path()));
  }
  std::ranges::sort(open);
  ASSERT_EQ(open.size(), 7U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(open[i], "/dev/null");
  EXPECT_EQ(open[3], dir_.path());
  EXPECT_EQ(open[4], path_);
  EXPECT_TRUE(open[5].starts_with("pipe:"));
  EXPECT_TRUE(open[6].starts_with("pipe:"));
}

TEST_F(FileOutputTest, AFailureToGiveUpRootIsAFailureToStart) {
  WriterOptions refusing = options(path_);
  refusing.after_fork = [] { return Status(fail(Errc::Io, "setuid", EPERM)); };
  const auto output = FileOutput::start(refusing, clock_);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().message(), "--log-file " + path_ + ": setuid: operation not permitted");
}

TEST_F(FileOutputTest, AKilledWriterIsReplacedButNotAtOnce) {
  auto output = start(path_);
  const pid_t first = output->writer();
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  ASSERT_EQ(::waitpid(first, nullptr, 0), first);
  EXPECT_FALSE(output->write("lost\n"));
  clock_.advance(std::chrono::seconds(10));
  EXPECT_TRUE(output->write("found\n"));
  EXPECT_NE(output->writer(), first);
  ASSERT_EQ(::kill(output->writer(), SIGKILL), 0);
  ASSERT_TRUE(until([&] { return !output->write("x\n"); }));
  output.reset();
}

TEST_F(FileOutputTest, AFileItCreatesBelongsToTheUserTheDaemonWillBe) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  WriterOptions owned = options(path_);
  owned.owner = FileOwner{65534, 65534};
  start(owned);
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 65534U);
  ASSERT_EQ(::chown(path_.c_str(), 1, 1), 0);
  start(owned);  // but one that is there stays whose it is
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 1U);
}

TEST_F(FileOutputTest, AWriterWithoutRootAndInAChrootStillReopensItsFile) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can chroot";
  ASSERT_EQ(::chown(dir_.path().c_str(), 65534, 65534), 0);
  TempDir jail;
  WriterOptions dropped = options(path_);
  dropped.owner = FileOwner{65534, 65534};
  dropped.after_fork = [&jail] {
    if (::chroot(jail.path().c_str()) != 0 || ::chdir("/") != 0 ||
        ::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0) {
      return Status(fail(Errc::Io, "dropping", errno));
    }
    return Status();
  };
  auto output = start(dropped);
  std::filesystem::rename(path_, dir_ / "log.1");
  output->reopen();
  output->write("new\n");
  output.reset();
  EXPECT_EQ(read_all(path_), "new\n");
}

}  // namespace
}  // namespace wsproxy::daemon
