#include "daemon/wrapped_program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>

#include "support/fake_clock.h"

namespace wsproxy::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

bool alive(pid_t pid) {
  const std::string status = contents("/proc/" + std::to_string(pid) + "/status");
  return !status.empty() && status.find("State:\tZ") == std::string::npos;
}

class WrappedProgramTest : public testing::Test {
 protected:
  WrappedProgramTest() : folder_(testing::TempDir() + "wsproxy-wrap-XXXXXX"), loop_(clock_) {
    EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
    out_ = folder_ + "/out";
  }
  void TearDown() override {
    program_.reset();
    std::filesystem::remove_all(folder_);
  }

  Status start(std::vector<std::string> argv, WrapMode mode = WrapMode::Exit,
               std::uint64_t descriptors = 0) {
    WrapOptions options;
    options.argv = std::move(argv);
    options.mode = mode;
    options.rebind = find_rebind().value_or("");
    options.descriptors = descriptors;
    program_ = std::make_unique<WrappedProgram>(loop_, std::move(options),
                                                [this](int status) { ended_ = status; });
    return program_->start(1);
  }
  Status shell(const std::string& script, WrapMode mode = WrapMode::Exit) {
    return start({"/bin/sh", "-c", script, "sh", out_}, mode);
  }

  // The kernel's events come in real time; what the clock says is the test's business.
  void until(const char* what, const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(10);
    while (!done()) {
      loop_.turn(milliseconds(5));
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << what;
    }
  }
  [[nodiscard]] std::size_t starts() const {
    const std::string text = contents(out_);
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
  }

  std::string folder_;
  std::string out_;
  test::FakeClock clock_;
  io::EventLoop loop_;
  int ended_ = -1;
  std::unique_ptr<WrappedProgram> program_;
};

TEST_F(WrappedProgramTest, ReportsTheExitStatus) {
  ASSERT_TRUE(shell("exit 3"));
  until("the end", [&] { return ended_ >= 0; });
  EXPECT_EQ(ended_, 3);
  EXPECT_FALSE(program_->running());
}

TEST_F(WrappedProgramTest, ReportsASignalAsAShellDoes) {
  ASSERT_TRUE(shell("kill -SEGV $$"));
  until("the end", [&] { return ended_ >= 0; });
  EXPECT_EQ(ended_, 128 + SIGSEGV);
}

TEST_F(WrappedProgramTest, SaysAtTheStartWhatCannotBeRun) {
  const Status missing = start({"wsproxy-no-such-program"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message(),
            "cannot run wsproxy-no-such-program: no such file or directory");
  const Status folder = start({"/etc"});
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().message(), "cannot run /etc: permission denied");
}

TEST_F(WrappedProgramTest, RefusesAPathThatLdPreloadWouldSplit) {
  WrapOptions options;
  options.argv = {"true"};
  options.rebind = "/opt/my programs/rebind.so";
  WrappedProgram program(loop_, std::move(options), [](int) {});
  const Status status = program.start(1);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(), "LD_PRELOAD cannot hold '/opt/my programs/rebind.so'");
}

TEST_F(WrappedProgramTest, LeavesTheEnvironmentButForItsOwnAndTheServiceManagers) {
  ::setenv("LD_PRELOAD", "libc.so.6", 1);
  ::setenv("NOTIFY_SOCKET", "/run/notify", 1);
  ::setenv("LISTEN_FDS", "1", 1);
  ::setenv("LISTEN_COLOUR", "blue", 1);
  const Status status = shell("env >\"$1\"");
  for (const char* name : {"LD_PRELOAD", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_COLOUR"}) {
    ::unsetenv(name);
  }
  ASSERT_TRUE(status);
  until("the end", [&] { return ended_ >= 0; });
  const std::string text = "\n" + contents(out_);
  EXPECT_NE(text.find("\nLD_PRELOAD=libc.so.6:" + *find_rebind() + "\n"), std::string::npos);
  EXPECT_NE(text.find("\nREBIND_OLD_PORT=1\n"), std::string::npos);
  EXPECT_NE(text.find("\nREBIND_NEW_PORT=" + std::to_string(program_->target().port) + "\n"),
            std::string::npos);
  EXPECT_NE(text.find("\nLISTEN_COLOUR=blue\n"), std::string::npos);
  EXPECT_NE(text.find("\nPATH="), std::string::npos);
  EXPECT_EQ(text.find("NOTIFY_SOCKET"), std::string::npos);
  EXPECT_EQ(text.find("LISTEN_FDS"), std::string::npos);
}

TEST_F(WrappedProgramTest, HandsDownNoDescriptorNoSignalMaskAndItsLimit) {
  const int leak = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &set, &before);
  const auto pipe_before = ::signal(SIGPIPE, SIG_IGN);
  const Status status = start(
      {"/bin/sh", "-c", "{ ls -l /proc/self/fd; grep Sig /proc/self/status; ulimit -Sn; } >\"$1\"",
       "sh", out_},
      WrapMode::Exit, 123);
  ::signal(SIGPIPE, pipe_before);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::close(leak);
  ASSERT_TRUE(status);
  until("the end", [&] { return ended_ >= 0; });
  const std::string text = contents(out_);
  EXPECT_EQ(text.find(" " + std::to_string(leak) + " -> "), std::string::npos) << text;
  EXPECT_NE(text.find("SigBlk:\t0000000000000000"), std::string::npos) << text;
  const auto ignored = text.find("SigIgn:\t");
  ASSERT_NE(ignored, std::string::npos) << text;
  // 32 and 33 are glibc's own: whoever started the tests may ignore them, and signal(2) leaves them alone
  constexpr std::uint64_t kOfGlibc = std::uint64_t{3} << 31;
  EXPECT_EQ(std::stoull(text.substr(ignored + 8, 16), nullptr, 16) & ~kOfGlibc, 0u) << text;
  EXPECT_NE(text.find("\n123\n"), std::string::npos) << text;
}

TEST_F(WrappedProgramTest, HoldsItsPortBothOnIPv4AndIPv6) {
  ASSERT_TRUE(shell("sleep 100"));
  for (const char* host : {"127.0.0.1", "::1"}) {
    const auto address = SocketAddress::numeric(host, program_->target().port);
    const UniqueFd fd(::socket(address->family(), SOCK_STREAM, 0));
    if (!fd) continue;  // no IPv6 here
    EXPECT_NE(::bind(fd.get(), address->get(), address->length()), 0) << host;
  }
}

TEST_F(WrappedProgramTest, StopEndsAllOfTheGroup) {
  ASSERT_TRUE(shell("sleep 100 & echo $! >\"$1\"; wait"));
  until("the grandchild", [&] { return starts() == 1; });
  const pid_t grandchild = std::stoi(contents(out_));
  const pid_t child = program_->pid();
  bool gone = false;
  program_->stop(seconds(5), [&] { gone = true; });
  EXPECT_FALSE(gone);
  until("the end of all", [&] {
    clock_.advance(milliseconds(1));
    return gone;
  });
  EXPECT_FALSE(alive(child));
  EXPECT_FALSE(alive(grandchild));
  EXPECT_EQ(ended_, -1);
}

TEST_F(WrappedProgramTest, StopKillsWhatIgnoresIt) {
  ASSERT_TRUE(shell("trap '' TERM; echo >\"$1\"; while :; do sleep 100; done"));
  until("the trap", [&] { return starts() == 1; });
  const pid_t child = program_->pid();
  bool gone = false;
  program_->stop(seconds(5), [&] { gone = true; });
  clock_.advance(milliseconds(4999));
  for (int i = 0; i < 10; ++i) loop_.turn(milliseconds(5));
  EXPECT_FALSE(gone);
  EXPECT_TRUE(alive(child));
  clock_.advance(milliseconds(1));
  until("the kill", [&] { return gone; });
  EXPECT_FALSE(alive(child));
}

TEST_F(WrappedProgramTest, StopAfterItsEndEndsWhatItHasLeft) {
  ASSERT_TRUE(shell("sleep 100 & echo $! >\"$1\"", WrapMode::Ignore));
  until("the end", [&] { return ended_ >= 0; });
  EXPECT_EQ(ended_, 0);
  const pid_t left = std::stoi(contents(out_));
  EXPECT_TRUE(alive(left));  // it may be the desktop itself
  bool gone = false;
  program_->stop(seconds(5), [&] { gone = true; });
  until("the end of all", [&] {
    clock_.advance(milliseconds(1));
    return gone;
  });
  EXPECT_FALSE(alive(left));
}

TEST_F(WrappedProgramTest, ItsDestructorEndsAllOfTheGroup) {
  ASSERT_TRUE(shell("sleep 100 & echo $! >\"$1\"; wait"));
  until("the grandchild", [&] { return starts() == 1; });
  const pid_t grandchild = std::stoi(contents(out_));
  const pid_t child = program_->pid();
  program_.reset();
  EXPECT_FALSE(alive(child));
  until("the end of all", [&] { return !alive(grandchild); });
}

TEST_F(WrappedProgramTest, RespawnPausesLongerAndLongerAfterShortRuns) {
  ASSERT_TRUE(shell("echo >>\"$1\"", WrapMode::Respawn));
  std::size_t count = 1;
  for (const int pause : {250, 500, 1000, 2000, 4000, 8000, 10000, 10000}) {
    until("the end of a run", [&] { return starts() == count && !program_->running(); });
    EXPECT_TRUE(program_->starting());
    clock_.advance(milliseconds(pause - 1));
    for (int i = 0; i < 3; ++i) loop_.turn(milliseconds(1));
    EXPECT_FALSE(program_->running()) << pause;
    clock_.advance(milliseconds(1));
    loop_.turn(milliseconds(0));
    EXPECT_TRUE(program_->running()) << pause;
    ++count;
  }
  EXPECT_EQ(ended_, -1);
}

TEST_F(WrappedProgramTest, RespawnAfterALongRunBeginsWithAShortPauseAgain) {
  ASSERT_TRUE(shell("echo >>\"$1\"; exec sleep 100", WrapMode::Respawn));
  for (std::size_t count = 1; count <= 3; ++count) {
    until("a start", [&] { return starts() == count; });
    const auto port = program_->target().port;
    clock_.advance(seconds(10));
    EXPECT_FALSE(program_->starting());
    ::kill(program_->pid(), SIGKILL);
    until("the end of a run", [&] { return !program_->running(); });
    clock_.advance(milliseconds(250));
    loop_.turn(milliseconds(0));
    EXPECT_TRUE(program_->running());
    EXPECT_EQ(program_->target().port, port);
  }
}

TEST_F(WrappedProgramTest, StopInAPauseStartsNothingMore) {
  ASSERT_TRUE(shell("echo >>\"$1\"", WrapMode::Respawn));
  until("the end of a run", [&] { return !program_->running(); });
  bool gone = false;
  program_->stop(seconds(5), [&] { gone = true; });
  until("the end of all", [&] { return gone; });
  clock_.advance(seconds(60));
  for (int i = 0; i < 3; ++i) loop_.turn(milliseconds(1));
  EXPECT_EQ(starts(), 1U);
}

TEST(FindRebind, LooksBesideTheBinaryAndInLib) {
  std::string top = testing::TempDir() + "wsproxy-rebind-XXXXXX";
  ASSERT_NE(::mkdtemp(top.data()), nullptr);
  std::filesystem::create_directories(top + "/bin");
  std::filesystem::create_directories(top + "/lib/wsproxy");
  const auto none = find_rebind(top + "/bin");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message(), "a program behind -- needs rebind.so, which is neither " + top +
                                        "/bin/rebind.so nor " + top +
                                        "/bin/../lib/wsproxy/rebind.so");
  std::ofstream(top + "/lib/wsproxy/rebind.so") << "x";
  EXPECT_EQ(*find_rebind(top + "/bin"), top + "/lib/wsproxy/rebind.so");
  std::ofstream(top + "/bin/rebind.so") << "x";
  EXPECT_EQ(*find_rebind(top + "/bin"), top + "/bin/rebind.so");
  std::filesystem::remove_all(top);
}

}  // namespace
}  // namespace wsproxy::daemon
