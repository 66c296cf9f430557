#include "base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "support/record_capture.h"

namespace wsproxy::log {
namespace {

// A log that goes to a pipe, and back to stderr at the end.
class LogPipe {
 public:
  LogPipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    reader_ = UniqueFd(ends[0]);
    writer_ = UniqueFd(ends[1]);
    ::fcntl(reader_.get(), F_SETFL, O_NONBLOCK);
    set_fd(writer_.get());
    set_level(Level::Debug);
  }
  ~LogPipe() {
    set_fd(STDERR_FILENO);
    set_level(Level::Info);
  }
  LogPipe(const LogPipe&) = delete;
  LogPipe& operator=(const LogPipe&) = delete;

  // All that is in the pipe now.
  [[nodiscard]] std::string read_all() const {
    std::string text;
    std::array<char, 4096> piece{};
    ssize_t n = 0;
    while ((n = ::read(reader_.get(), piece.data(), piece.size())) > 0) {
      text.append(piece.data(), static_cast<std::size_t>(n));
    }
    return text;
  }

  // Fills the pipe to its last byte, as a reader that has stopped does.
  void fill() const {
    ::fcntl(writer_.get(), F_SETFL, O_NONBLOCK);
    const std::array<char, 4096> filler{};
    while (::write(writer_.get(), filler.data(), filler.size()) > 0) continue;
    while (::write(writer_.get(), filler.data(), 1) > 0) continue;
    ::fcntl(writer_.get(), F_SETFL, 0);  // blocking, so that a write too many would hang
  }

 private:
  UniqueFd reader_, writer_;
};

// What follows "2026-01-31T12:00:00.000Z ".
std::string without_time(const std::string& line) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd.dddZ ";
  if (line.size() < kForm.size()) return "(no time) " + line;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = line[i] >= '0' && line[i] <= '9';
    if (kForm[i] == 'd' ? !digit : line[i] != kForm[i]) return "(no time) " + line;
  }
  return line.substr(kForm.size());
}

TEST(Log, WritesTimeLevelAndText) {
  const LogPipe pipe;
  write(Level::Warning, "disk is slow");
  EXPECT_EQ(without_time(pipe.read_all()), "warning disk is slow\n");
}

TEST(Log, FormatsAtEveryLevel) {
  const LogPipe pipe;
  error("%d", 1);
  EXPECT_EQ(without_time(pipe.read_all()), "error 1\n");
  warning("%s", "two");
  EXPECT_EQ(without_time(pipe.read_all()), "warning two\n");
  info("%c", '3');
  EXPECT_EQ(without_time(pipe.read_all()), "info 3\n");
  debug("%x", 0xf);
  EXPECT_EQ(without_time(pipe.read_all()), "debug f\n");
}

TEST(Log, WritesNothingAboveItsLevel) {
  const LogPipe pipe;
  set_level(Level::Warning);
  EXPECT_TRUE(enabled(Level::Error));
  EXPECT_TRUE(enabled(Level::Warning));
  EXPECT_FALSE(enabled(Level::Info));
  EXPECT_FALSE(enabled(Level::Debug));
  info("quiet");
  debug("quiet");
  write(Level::Info, "quiet");
  EXPECT_EQ(pipe.read_all(), "");
}

TEST(Log, NoControlByteReachesTheDescriptor) {
  const LogPipe pipe;
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  write(Level::Info, all);
  const std::string line = pipe.read_all();
  ASSERT_TRUE(line.ends_with('\n'));
  for (const char c : line.substr(0, line.size() - 1)) {
    EXPECT_TRUE(c >= 0x20 && c < 0x7f) << static_cast<int>(c);
  }
  EXPECT_NE(line.find("\\x00\\x01"), std::string::npos);
  EXPECT_NE(line.find("\\x0a"), std::string::npos);
  EXPECT_NE(line.find("\\x1b"), std::string::npos);
  EXPECT_NE(line.find("~\\x7f\\x80"), std::string::npos);
  EXPECT_TRUE(line.ends_with("\\xfe\\xff\n"));
}

TEST(Log, AClientCannotForgeALine) {
  const LogPipe pipe;
  info("path=%s", "/x\n2026-01-01T00:00:00.000Z error forged");
  const std::string text = pipe.read_all();
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST(Log, CutsALongLineAt4000Bytes) {
  const LogPipe pipe;
  write(Level::Info, std::string(10'000, 'x'));
  EXPECT_EQ(without_time(pipe.read_all()), "info " + std::string(4000, 'x') + "\n");
  info("%s", std::string(10'000, 'y').c_str());
  const std::string formatted = without_time(pipe.read_all());
  EXPECT_GE(formatted.size(), 3990U);
  EXPECT_LE(formatted.size(), 4006U);
}

TEST(Log, CutsWhatIsEscapedAt4000BytesToo) {
  const LogPipe pipe;
  write(Level::Info, std::string(4000, '\n'));
  const std::string line = without_time(pipe.read_all());
  EXPECT_EQ(line.size(), std::string("info ").size() + 4000 + 1);
  EXPECT_TRUE(line.starts_with("info \\x0a\\x0a"));
}

TEST(Log, DropsLinesInsteadOfWaitingAndSaysHowMany) {
  const LogPipe pipe;
  pipe.fill();
  for (int i = 0; i < 7; ++i) info("lost %d", i);
  (void)pipe.read_all();
  info("back again");
  const std::string text = pipe.read_all();
  const auto end = text.find('\n');
  ASSERT_NE(end, std::string::npos);
  EXPECT_EQ(without_time(text.substr(0, end + 1)),
            "warning 7 log lines lost: the reader is too slow\n");
  EXPECT_EQ(without_time(text.substr(end + 1)), "info back again\n");
}

TEST(Log, CountsLostLinesOnlyOnce) {
  const LogPipe pipe;
  pipe.fill();
  info("lost");
  (void)pipe.read_all();
  info("one");
  (void)pipe.read_all();
  info("two");
  EXPECT_EQ(without_time(pipe.read_all()), "info two\n");
}

// A sink that takes lines as long as it is told to.
class TestSink final : public Sink {
 public:
  struct State {
    bool takes = true;
    int reopened = 0;
    std::string trouble;
    std::vector<std::string> texts;
  };
  explicit TestSink(State& state) : state_(state) {}
  bool write(const Record& record) override {
    if (state_.takes) state_.texts.emplace_back(record.text);
    return state_.takes;
  }
  void reopen() override { ++state_.reopened; }
  [[nodiscard]] std::string_view loss() const override { return "it is on strike"; }
  std::string take_trouble() override { return std::exchange(state_.trouble, {}); }

 private:
  State& state_;
};

class LogSinks : public testing::Test {
 public:
  ~LogSinks() override { set_fd(STDERR_FILENO); }

 protected:
  LogSinks() {
    std::vector<std::unique_ptr<Sink>> sinks;
    sinks.push_back(std::make_unique<TestSink>(one_));
    sinks.push_back(std::make_unique<TestSink>(two_));
    set_sinks(std::move(sinks));
  }

  using Texts = std::vector<std::string>;
  TestSink::State one_, two_;
};

TEST_F(LogSinks, EachGetsEveryRecord) {
  info("a");
  info("b");
  EXPECT_EQ(one_.texts, (Texts{"a", "b"}));
  EXPECT_EQ(two_.texts, (Texts{"a", "b"}));
}

TEST_F(LogSinks, OneThatLosesRecordsIsToldOfItsOwnLossOnly) {
  two_.takes = false;
  info("a");
  info("b");
  two_.takes = true;
  info("c");
  EXPECT_EQ(one_.texts, (Texts{"a", "b", "c"}));
  EXPECT_EQ(two_.texts, (Texts{"2 log lines lost: it is on strike", "c"}));
}

TEST_F(LogSinks, TheTroubleOfOneIsSaidByTheOthers) {
  two_.trouble = "the disk is full";
  info("a");
  EXPECT_EQ(one_.texts, (Texts{"a", "the disk is full"}));
  EXPECT_EQ(two_.texts, (Texts{"a"}));
}

TEST_F(LogSinks, AllAreReopened) {
  reopen();
  EXPECT_EQ(one_.reopened, 1);
  EXPECT_EQ(two_.reopened, 1);
}

TEST_F(LogSinks, NoneAtAllIsSilence) {
  set_sinks({});
  info("a");
  EXPECT_EQ(one_.texts, Texts{});
}

TEST(LogFields, ReachTheSinkWithTheirText) {
  test::RecordCapture log;
  const std::array fields = {Field{"session", std::uint64_t{7}}, Field{"client", "a\nb"}};
  info(fields, "open %d", 1);
  EXPECT_EQ(log.take(), (std::vector<std::string>{"info open 1 session=7 client=a\nb"}));
}

TEST(Printable, EscapesWhatIsNotPrintableAscii) {
  EXPECT_EQ(printable(""), "");
  EXPECT_EQ(printable("plain ~ \"text\" \\"), "plain ~ \"text\" \\");
  EXPECT_EQ(printable(std::string_view("\0\t\r\n\x1b[31m\x7f", 10)),
            "\\x00\\x09\\x0d\\x0a\\x1b[31m\\x7f");
  EXPECT_EQ(printable("\xc3\xa9\xff"), "\\xc3\\xa9\\xff");
}

TEST(Escape, EscapesQuotesAndBackslashesToo) {
  EXPECT_EQ(escape(""), "");
  EXPECT_EQ(escape("a b"), "a b");
  EXPECT_EQ(escape("\"\\"), "\\x22\\x5c");
  EXPECT_EQ(escape("\n'"), "\\x0a'");
}

}  // namespace
}  // namespace wsproxy::log
