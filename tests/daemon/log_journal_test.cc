#include "daemon/log_journal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>

#include "support/temp_dir.h"
#include "support/unix_receiver.h"

namespace wsproxy::daemon {
namespace {

using log::Field;
using log::Level;

TEST(JournalMessage, HasTheJournalsFieldsAndOurs) {
  const std::array fields = {Field{"session", std::uint64_t{7}},
                             Field{"close_code", std::uint64_t{1000}},
                             Field{"client", "10.0.0.7:51"}, Field{"duration", 1.5}};
  EXPECT_EQ(journal_message({Level::Info, "[s7] closed", {}, fields}),
            "MESSAGE=[s7] closed\n"
            "PRIORITY=6\n"
            "SYSLOG_IDENTIFIER=wsproxy\n"
            "WSPROXY_SESSION=7\n"
            "WSPROXY_CLOSE_CODE=1000\n"
            "WSPROXY_CLIENT=10.0.0.7:51\n"
            "WSPROXY_DURATION=1.500\n");
}

TEST(JournalMessage, NobodyAddsAField) {
  const std::array fields = {Field{"path", "/\nPRIORITY=0\xff"}};
  EXPECT_EQ(journal_message({Level::Warning, "a\nMESSAGE_ID=1 caf\xc3\xa9", {}, fields}),
            "MESSAGE=a\\x0aMESSAGE_ID=1 caf\xc3\xa9\n"
            "PRIORITY=4\n"
            "SYSLOG_IDENTIFIER=wsproxy\n"
            "WSPROXY_PATH=/\\x0aPRIORITY=0\\xff\n");
}

TEST(JournalStream, IsTheDescriptorThatTheVariableNames) {
  const test::TempDir dir;
  const UniqueFd file(::open((dir / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  struct stat status{};
  ASSERT_EQ(::fstat(file.get(), &status), 0);
  const std::string name = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  EXPECT_TRUE(is_journal_stream(file.get(), name.c_str()));
  EXPECT_FALSE(is_journal_stream(file.get(), (name + "0").c_str()));
  EXPECT_FALSE(is_journal_stream(file.get(), ""));
  EXPECT_FALSE(is_journal_stream(file.get(), nullptr));
  EXPECT_FALSE(is_journal_stream(-1, name.c_str()));
}

TEST(JournalSinkTest, WritesADatagramAndLosesWhatTheQueueDoesNotTake) {
  const test::TempDir dir;
  test::UnixReceiver receiver(dir / "socket", SOCK_DGRAM);
  const auto sink = JournalSink::open(dir / "socket");
  ASSERT_TRUE(sink);
  int taken = 0;
  while ((*sink)->write({Level::Info, "hello", {}, {}})) ASSERT_LT(++taken, 100'000);
  EXPECT_EQ(receiver.receive(), "MESSAGE=hello\nPRIORITY=6\nSYSLOG_IDENTIFIER=wsproxy\n");
  EXPECT_TRUE((*sink)->write({Level::Info, "hello", {}, {}}));
}

TEST(JournalSinkTest, IsNotThereWithoutAJournal) {
  const test::TempDir dir;
  EXPECT_FALSE(JournalSink::open(dir / "none"));
}

}  // namespace
}  // namespace wsproxy::daemon
