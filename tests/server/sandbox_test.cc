#include "server/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "support/child.h"
#include "support/log_capture.h"
#include "support/temp_dir.h"

namespace wsproxy::server {
namespace {

Status nothing_to_drop() { return {}; }

bool opens(const std::string& path, int flags) {
  const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  return static_cast<bool>(fd);
}

std::string yes_or_no(std::initializer_list<bool> answers) {
  std::string text;
  for (const bool answer : answers) text += answer ? 'y' : 'n';
  return text;
}

class ServerSandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    if (daemon::is_sanitized()) GTEST_SKIP() << "a build with a sanitizer has none";
    if (daemon::landlock_abi() == 0) GTEST_SKIP() << "the kernel has no Landlock";
    test::write_text(folder_ / "file", "content");
  }

  const test::TempDir folder_;
  const test::TempDir other_;
  config::Config config_;
};

TEST_F(ServerSandboxTest, WritersOfLogsHaveTheirDirectoriesOnly) {
  config_.log_file = folder_ / "log";
  config_.record = other_ / "session";
  const Sandbox sandbox(config_, nothing_to_drop);
  EXPECT_EQ(test::in_child([&] {
              if (!sandbox.for_logs()()) return std::string("failed");
              return yes_or_no({opens(folder_ / "log", O_WRONLY | O_CREAT),
                                opens(folder_ / "file", O_RDONLY),
                                opens(other_ / "session.1", O_WRONLY | O_CREAT)});
            }),
            "ynn");
  EXPECT_EQ(test::in_child([&] {
              if (!sandbox.for_recordings()()) return std::string("failed");
              return yes_or_no({opens(folder_ / "log2", O_WRONLY | O_CREAT),
                                opens(other_ / "session.1", O_WRONLY | O_CREAT)});
            }),
            "ny");
}

TEST_F(ServerSandboxTest, LookUpsReadTheSystemsFilesAndWriteNone) {
  const Sandbox sandbox(config_, nothing_to_drop);
  EXPECT_EQ(
      test::in_child([&] {
        if (!sandbox.for_look_ups()()) return std::string("failed");
        return yes_or_no({opens("/etc/hosts", O_RDONLY), opens(folder_ / "file", O_RDONLY),
                          opens(folder_ / "new", O_WRONLY | O_CREAT), opens("/dev/null", O_RDWR)});
      }),
      "ynny");
}

TEST_F(ServerSandboxTest, PrivilegesAreDroppedFirstAndThatCanFail) {
  const Sandbox sandbox(config_, [] { return Status(fail(Errc::Io, "cannot drop")); });
  for (const auto& prepare : {sandbox.for_look_ups(), sandbox.for_logs(), sandbox.for_recordings(),
                              sandbox.for_starter(false), sandbox.for_starter(true)}) {
    EXPECT_EQ(test::in_child([&] {
                const Status status = prepare();
                return status ? std::string("went on") : status.error().message();
              }),
              "cannot drop");
  }
}

TEST_F(ServerSandboxTest, WhoStartsProgramsHasNoLimits) {
  const Sandbox sandbox(config_, nothing_to_drop);
  const auto writes = [&](bool runs_programs) {
    return test::in_child([&] {
      if (!sandbox.for_starter(runs_programs)()) return std::string("failed");
      return yes_or_no({opens(folder_ / "new", O_WRONLY | O_CREAT)});
    });
  };
  EXPECT_EQ(writes(true), "y");
  ::unlink((folder_ / "new").c_str());
  EXPECT_EQ(writes(false), "n");
}

TEST_F(ServerSandboxTest, TheDaemonReadsWhatItsConfigurationNamesAndSaysSo) {
  config_.cert = {folder_ / "file"};
  config_.pid_file = other_ / "pid";
  test::write_text(other_ / "pid", "1");
  const std::string text = test::in_child([&] {
    Sandbox sandbox(config_, nothing_to_drop);
    const test::LogCapture log;
    sandbox.before_chroot();
    sandbox.enter({"127.0.0.1", 5900, ""});
    config::Config next = config_;
    next.web = other_.path();
    return yes_or_no({opens(folder_ / "file", O_RDONLY), opens(other_ / "pid", O_RDONLY),
                      ::unlink((other_ / "pid").c_str()) == 0,
                      static_cast<bool>(sandbox.reaches(config_)),
                      static_cast<bool>(sandbox.reaches(next))}) +
           log.take();
  });
  EXPECT_TRUE(text.starts_with("ynyyn")) << text;
  EXPECT_NE(text.find(" sandbox: files by Landlock "), std::string::npos) << text;
}

TEST_F(ServerSandboxTest, SwitchedOffItSaysThat) {
  config_.sandbox = false;
  Sandbox sandbox(config_, nothing_to_drop);
  const test::LogCapture log;
  sandbox.before_chroot();
  sandbox.enter({"127.0.0.1", 5900, ""});
  EXPECT_NE(log.take().find("warning no sandbox, as told"), std::string::npos);
  EXPECT_TRUE(opens(folder_ / "new", O_WRONLY | O_CREAT));
}

}  // namespace
}  // namespace wsproxy::server
