#include "daemon/log_syslog.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <fstream>

#include "support/fake_clock.h"
#include "support/temp_dir.h"
#include "support/unix_receiver.h"

namespace wsproxy::daemon {
namespace {

using log::Field;
using log::Level;
using std::chrono::system_clock;
using test::UnixReceiver;

// 2026-01-31T12:00:00.005Z
constexpr system_clock::time_point kTime{std::chrono::milliseconds(1769860800005)};
const SyslogForm kForm = {false, Facility::User, "gate", 99};

TEST(SyslogMessage, HasTheHeaderOfRfc5424) {
  EXPECT_EQ(syslog_message(kForm, {Level::Info, "ready", kTime, {}}),
            "<14>1 2026-01-31T12:00:00.005Z gate wsproxy 99 - - ready");
}

TEST(SyslogMessage, PriorityIsFacilityAndLevel) {
  SyslogForm form = kForm;
  EXPECT_TRUE(syslog_message(form, {Level::Error, "x", kTime, {}}).starts_with("<11>1 "));
  EXPECT_TRUE(syslog_message(form, {Level::Debug, "x", kTime, {}}).starts_with("<15>1 "));
  form.facility = Facility::Daemon;
  EXPECT_TRUE(syslog_message(form, {Level::Warning, "x", kTime, {}}).starts_with("<28>1 "));
}

TEST(SyslogMessage, FieldsAreStructuredDataWithTheirSpecialsEscaped) {
  const std::array fields = {Field{"session", std::uint64_t{7}}, Field{"path", "/a\"b]c\\d\n"}};
  EXPECT_EQ(syslog_message(kForm, {Level::Info, "open", kTime, fields}),
            "<14>1 2026-01-31T12:00:00.005Z gate wsproxy 99 - "
            "[wsproxy@32473 session=\"7\" path=\"/a\\\"b\\]c\\\\d\\\\x0a\"] open");
}

TEST(SyslogMessage, TextBeyondAsciiHasABomInFront) {
  EXPECT_EQ(syslog_message(kForm, {Level::Info, "caf\xc3\xa9", kTime, {}}),
            "<14>1 2026-01-31T12:00:00.005Z gate wsproxy 99 - - \xef\xbb\xbf"
            "caf\xc3\xa9");
}

TEST(SyslogMessage, NobodyForgesAMessage) {
  const std::string message =
      syslog_message(kForm, {Level::Info, "a\n<0>1 - - - - - - b\xff", kTime, {}});
  EXPECT_TRUE(message.ends_with(" a\\x0a<0>1 - - - - - - b\\xff")) << message;
}

TEST(SyslogMessage, LegacyFormHasNoTimeNoHostAndNoFields) {
  SyslogForm form = kForm;
  form.legacy = true;
  const std::array fields = {Field{"session", std::uint64_t{7}}};
  EXPECT_EQ(syslog_message(form, {Level::Info, "caf\xc3\xa9", kTime, fields}),
            "<14>wsproxy[99]: caf\xc3\xa9");
}

TEST(SyslogMessage, AHostNameThatNoHeaderTakesIsADash) {
  SyslogForm form = kForm;
  form.host = "my host";
  EXPECT_TRUE(syslog_message(form, {Level::Info, "x", kTime, {}})
                  .starts_with("<14>1 2026-01-31T12:00:00.005Z - wsproxy "));
  form.host = "";
  EXPECT_TRUE(syslog_message(form, {Level::Info, "x", kTime, {}})
                  .starts_with("<14>1 2026-01-31T12:00:00.005Z - wsproxy "));
}

class SyslogSinkTest : public testing::Test {
 protected:
  static std::string open_fails(const std::string& where) {
    const auto sink = SyslogSink::open(where, kForm);
    return sink ? "it opened" : sink.error().message();
  }
  static log::Record record(std::string_view text) { return {Level::Info, text, kTime, {}}; }

  test::TempDir dir_;
  std::string path_ = dir_ / "log";
};

TEST_F(SyslogSinkTest, WritesToTheSocketOfThisMachine) {
  UnixReceiver receiver(path_, SOCK_DGRAM);
  const auto sink = SyslogSink::open(path_, kForm);
  ASSERT_TRUE(sink);
  EXPECT_TRUE((*sink)->write(record("hello")));
  EXPECT_EQ(receiver.receive(), "<14>1 2026-01-31T12:00:00.005Z gate wsproxy 99 - - hello");
}

TEST_F(SyslogSinkTest, StartsWhileTheSyslogDaemonIsDown) {
  UniqueFd nobody(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto address = SocketAddress::unix_path(path_);
  ASSERT_EQ(::bind(nobody.get(), address->get(), address->length()), 0);
  nobody.reset();  // its file stays
  const auto sink = SyslogSink::open(path_, kForm);
  ASSERT_TRUE(sink);
  EXPECT_FALSE((*sink)->write(record("lost")));
  ::unlink(path_.c_str());
  UnixReceiver receiver(path_, SOCK_DGRAM);
  EXPECT_TRUE((*sink)->write(record("found")));
  EXPECT_TRUE(receiver.receive()->ends_with(" found"));
}

TEST_F(SyslogSinkTest, RefusesWhatIsNoPlaceToLogTo) {
  EXPECT_EQ(open_fails(path_), path_ + ": cannot use it: no such file or directory");
  std::ofstream(path_) << "text";
  EXPECT_EQ(open_fails(path_), path_ + ": is no socket");
  EXPECT_NE(open_fails("host.invalid:514").find("host.invalid:514: "), std::string::npos);
  EXPECT_NE(open_fails("127.0.0.1:port").find("127.0.0.1:port"), std::string::npos);
}

TEST_F(SyslogSinkTest, ANameIsLookedUpAgainAtAReopen) {
  const UniqueFd server(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto any_port = *SocketAddress::numeric("127.0.0.1", 0);
  ASSERT_EQ(::bind(server.get(), any_port.get(), any_port.length()), 0);
  const std::string port = std::to_string(local_address(server.get()).port());
  const auto numeric = SyslogSink::open("127.0.0.1:" + port, kForm);
  ASSERT_TRUE(numeric);
  EXPECT_FALSE((*numeric)->has_name());
  (*numeric)->reopen();
  EXPECT_TRUE((*numeric)->write(record("numeric")));

  const auto named = SyslogSink::open("localhost:" + port, kForm);
  ASSERT_TRUE(named);
  EXPECT_TRUE((*named)->has_name());
  (*named)->reopen();  // without a resolver it stays where it is
  const SystemClock clock;
  io::EventLoop loop(clock);
  io::Resolver resolver(loop);
  (*named)->use_resolver(&resolver);
  (*named)->reopen();
  for (int i = 0; i < 100 && (*named)->looking_up(); ++i) loop.turn(std::chrono::milliseconds(100));
  EXPECT_FALSE((*named)->looking_up());
  EXPECT_EQ((*named)->take_trouble(), "");
  (*named)->reopen();  // and is given up with the resolver
  (*named)->use_resolver(nullptr);
}

}  // namespace
}  // namespace wsproxy::daemon
