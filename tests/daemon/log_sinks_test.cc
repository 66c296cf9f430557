#include "daemon/log_sinks.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>

#include "daemon/log_journal.h"
#include "support/temp_dir.h"
#include "support/unix_receiver.h"

namespace wsproxy::daemon {
namespace {

using test::read_all;

// Standard error in a file, for the length of a test.
class StandardError {
 public:
  explicit StandardError(const std::string& path)
      : before_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
    const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    ::dup2(file.get(), STDERR_FILENO);
  }
  ~StandardError() { ::dup2(before_.get(), STDERR_FILENO); }
  StandardError(const StandardError&) = delete;
  StandardError& operator=(const StandardError&) = delete;

 private:
  UniqueFd before_;
};

LogOptions with(std::string LogOptions::* member, const std::string& value) {
  LogOptions options;
  options.*member = value;
  return options;
}

class LogSinksTest : public testing::Test {
 protected:
  void use(const LogOptions& options) {
    const StandardError redirected(errors_);
    auto logs = open_log_sinks(options);
    ASSERT_TRUE(logs) << logs.error().message();
    log::set_sinks(std::move(logs->sinks));
    log::info("hello");
    log::set_fd(STDERR_FILENO);  // the writers bring out what they have
  }

  test::TempDir dir_;
  std::string errors_ = dir_ / "stderr";
  std::string file_ = dir_ / "file";
};

TEST_F(LogSinksTest, WithoutOptionsIsTextOnStandardError) {
  use({});
  EXPECT_TRUE(read_all(errors_).ends_with("Z info hello\n"));
}

TEST_F(LogSinksTest, AFileIsWrittenInAddition) {
  LogOptions options;
  options.file = file_;
  use(options);
  EXPECT_TRUE(read_all(errors_).ends_with("Z info hello\n"));
  EXPECT_EQ(read_all(file_), read_all(errors_));
}

TEST_F(LogSinksTest, JsonIsTheFormatOfBoth) {
  LogOptions options;
  options.file = file_;
  options.json = true;
  use(options);
  EXPECT_TRUE(read_all(errors_).ends_with(R"("level":"info","message":"hello"})"
                                          "\n"));
  EXPECT_EQ(read_all(file_), read_all(errors_));
}

TEST_F(LogSinksTest, UnderSystemdLinesHaveAPriorityWhenTheJournalItselfIsOutOfReach) {
  if (JournalSink::open()) GTEST_SKIP() << "there is a journal here";
  {
    const StandardError redirected(errors_);
    struct stat status{};
    ASSERT_EQ(::fstat(STDERR_FILENO, &status), 0);
    ::setenv("JOURNAL_STREAM",
             (std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino)).c_str(), 1);
  }
  use({});
  EXPECT_EQ(read_all(errors_), "<6>hello\n");
  ::setenv("JOURNAL_STREAM", "1:1", 1);
  use({});
  EXPECT_TRUE(read_all(errors_).ends_with("Z info hello\n"));
  ::unsetenv("JOURNAL_STREAM");
}

TEST_F(LogSinksTest, SyslogHasTheFacilityOfADaemonOnlyWhenItIsOne) {
  test::UnixReceiver receiver(dir_ / "socket", SOCK_DGRAM);
  LogOptions options;
  options.syslog = dir_ / "socket";
  use(options);
  const std::string pid = std::to_string(::getpid());
  const std::string message = receiver.receive().value_or("");
  EXPECT_TRUE(message.starts_with("<14>1 ")) << message;
  EXPECT_TRUE(message.ends_with(" wsproxy " + pid + " - - hello")) << message;
  options.daemonized = true;
  options.legacy_syslog = true;
  use(options);
  EXPECT_EQ(receiver.receive(), "<30>wsproxy[" + pid + "]: hello");
}

TEST_F(LogSinksTest, TheAccessLogIsAFileOrStandardOutput) {
  LogOptions options;
  EXPECT_EQ(open_log_sinks(options)->access, nullptr);
  options.access_file = file_;
  auto logs = open_log_sinks(options);
  ASSERT_TRUE(logs);
  EXPECT_TRUE(logs->access->write("line\n"));
  logs->access.reset();
  EXPECT_EQ(read_all(file_), "line\n");
  options.access_file = "-";
  logs = open_log_sinks(options);
  ASSERT_TRUE(logs);
  EXPECT_NE(logs->access, nullptr);
}

TEST_F(LogSinksTest, AnErrorNamesTheOptionAndTheFile) {
  const auto message = [](const LogOptions& options) {
    const auto logs = open_log_sinks(options);
    return logs ? "it opened" : logs.error().message();
  };
  EXPECT_TRUE(message(with(&LogOptions::file, dir_.path()))
                  .starts_with("--log-file " + dir_.path() + ": "));
  EXPECT_TRUE(message(with(&LogOptions::access_file, dir_.path()))
                  .starts_with("--access-log " + dir_.path() + ": "));
  EXPECT_TRUE(message(with(&LogOptions::syslog, dir_.path()))
                  .starts_with("--syslog: " + dir_.path() + ": "));
}

TEST_F(LogSinksTest, ASyslogServerWithANameWantsAResolver) {
  EXPECT_FALSE(open_log_sinks(with(&LogOptions::syslog, "127.0.0.1:514"))->use_resolver);
  const auto logs = open_log_sinks(with(&LogOptions::syslog, "localhost:514"));
  ASSERT_TRUE(logs);
  ASSERT_TRUE(logs->use_resolver);
  logs->use_resolver(nullptr);
}

}  // namespace
}  // namespace wsproxy::daemon
