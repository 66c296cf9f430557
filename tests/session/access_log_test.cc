#include "session/access_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "support/builders.h"
#include "support/record_capture.h"

namespace wsproxy::session {
namespace {

// 2026-01-31T12:00:00.005Z
constexpr std::chrono::system_clock::time_point kTime{std::chrono::milliseconds(1769860800005)};

AccessEntry page() {
  AccessEntry entry;
  entry.time = kTime;
  entry.session = 4;
  entry.client = "10.0.0.7:51123";
  entry.method = "GET";
  entry.path = "/app/ui.js";
  entry.referer = "https://desk.example/";
  entry.user_agent = "Mozilla/5.0 (X11)";
  entry.status = 200;
  entry.bytes = 1234;
  entry.duration = 0.0421;
  return entry;
}

AccessEntry desktop() {
  AccessEntry entry = page();
  entry.path = "/websockify";
  entry.status = 101;
  entry.websocket = true;
  entry.target = "localhost:5900";
  entry.bytes_to_target = 77;
  entry.close_code = 1000;
  return entry;
}

TEST(CombinedLine, OfAPage) {
  EXPECT_EQ(combined_line(page()),
            "10.0.0.7 - - [31/Jan/2026:12:00:00 +0000] \"GET /app/ui.js HTTP/1.1\" 200 1234 "
            "\"https://desk.example/\" \"Mozilla/5.0 (X11)\" session=4 duration=0.042\n");
}

TEST(CombinedLine, OfASession) {
  EXPECT_EQ(combined_line(desktop()),
            "10.0.0.7 - - [31/Jan/2026:12:00:00 +0000] \"GET /websockify HTTP/1.1\" 101 1234 "
            "\"https://desk.example/\" \"Mozilla/5.0 (X11)\" session=4 target=localhost:5900 "
            "to_target=77 to_client=1234 close_code=1000 duration=0.042\n");
}

TEST(CombinedLine, WhatIsNotKnownIsADash) {
  AccessEntry entry;
  entry.time = kTime;
  entry.status = 400;
  EXPECT_EQ(
      combined_line(entry),
      "- - - [31/Jan/2026:12:00:00 +0000] \"-\" 400 0 \"-\" \"-\" session=0 duration=0.000\n");
}

TEST(CombinedLine, ClientsOfEachFamilyAreNamedWithoutTheirPort) {
  AccessEntry entry = page();
  entry.client = "[2001:db8::7]:51123";
  EXPECT_TRUE(combined_line(entry).starts_with("2001:db8::7 - - ["));
  entry.client = "unix:/run/front.sock";
  EXPECT_TRUE(combined_line(entry).starts_with("unix:/run/front.sock - - ["));
}

TEST(CombinedLine, NobodyForgesALineOrAField) {
  AccessEntry entry = desktop();
  const std::string attack = "\" 200 0\n10.0.0.8 - - [\\\x1b[31m\x7f\xc3\xa9";
  entry.method = entry.path = entry.referer = entry.user_agent = attack;
  entry.user = entry.target = "a b\"" + attack;
  const std::string line = combined_line(entry);
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
  EXPECT_EQ(std::ranges::count(line, '"'), 6);
  EXPECT_EQ(line.find('\\'), line.find("\\x")) << line;
  for (const char c : line.substr(0, line.size() - 1)) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << line;
  EXPECT_NE(line.find(" target=a\\x20b\\x22"), std::string::npos) << line;
}

TEST(AccessLines, HaveBoundsAndCutNoEscapeInTwo) {
  AccessEntry entry = desktop();
  const std::string attack = "a" + std::string(5000, '\xff');
  entry.client = entry.user = entry.target = attack;
  entry.method = entry.path = entry.referer = entry.user_agent = attack;
  const std::string combined = combined_line(entry);
  EXPECT_LE(combined.size(), 4096U);
  EXPECT_NE(combined.find("\"a\\xff"), std::string::npos);
  EXPECT_NE(combined.find("\\xff\" \"a"), std::string::npos) << "a field ends with a whole escape";
  EXPECT_LE(json_line(entry).size(), 4096U);
}

TEST(AccessJson, OfAPageAndOfASession) {
  EXPECT_EQ(json_line(page()),
            R"j({"time":"2026-01-31T12:00:00.005Z","session":4,"client":"10.0.0.7:51123",)j"
            R"j("method":"GET","path":"/app/ui.js","protocol":"HTTP/1.1","status":200,)j"
            R"j("referer":"https://desk.example/","user_agent":"Mozilla/5.0 (X11)","bytes":1234,)j"
            R"j("duration":0.042})j"
            "\n");
  EXPECT_EQ(json_line(desktop()),
            R"j({"time":"2026-01-31T12:00:00.005Z","session":4,"client":"10.0.0.7:51123",)j"
            R"j("method":"GET","path":"/websockify","protocol":"HTTP/1.1","status":101,)j"
            R"j("referer":"https://desk.example/","user_agent":"Mozilla/5.0 (X11)",)j"
            R"j("target":"localhost:5900","bytes_to_target":77,"bytes_to_client":1234,)j"
            R"j("close_code":1000,"duration":0.042})j"
            "\n");
}

TEST(AccessEntryOf, ARequestHasNoQueryInAnyOfItsFields) {
  const test::Request request(
      "GET /websockify?token=secret1 HTTP/1.0",
      {"Host: desk.example", "Referer: https://desk.example/?token=secret2#secret3",
       "user-agent: Mozilla/5.0", "User-Agent: second"});
  ASSERT_EQ(request.status, 0);
  const AccessEntry entry = access_entry(request.head);
  EXPECT_EQ(entry.method, "GET");
  EXPECT_EQ(entry.path, "/websockify");
  EXPECT_EQ(entry.minor_version, 0);
  EXPECT_EQ(entry.referer, "https://desk.example/");
  EXPECT_EQ(entry.user_agent, "Mozilla/5.0");
  EXPECT_EQ(combined_line(entry).find("secret"), std::string::npos);
  EXPECT_EQ(json_line(entry).find("secret"), std::string::npos);
}

class TestOutput final : public log::Output {
 public:
  struct State {
    bool takes = true;
    int reopened = 0;
    std::string trouble;
    std::string text;
  };
  explicit TestOutput(State& state) : state_(state) {}
  bool write(std::string_view line) override {
    if (state_.takes) state_.text += line;
    return state_.takes;
  }
  void reopen() override { ++state_.reopened; }
  std::string take_trouble() override { return std::exchange(state_.trouble, {}); }

 private:
  State& state_;
};

TEST(AccessLogTest, WritesItsFormatAndReopens) {
  TestOutput::State state;
  AccessLog combined(std::make_unique<TestOutput>(state), AccessLog::Format::Combined);
  combined.write(page());
  EXPECT_EQ(std::exchange(state.text, {}), combined_line(page()));
  combined.reopen();
  EXPECT_EQ(state.reopened, 1);
  AccessLog json(std::make_unique<TestOutput>(state), AccessLog::Format::Json);
  json.write(page());
  EXPECT_EQ(state.text, json_line(page()));
}

TEST(AccessLogTest, TheLogSaysWhatWasLostAndWhatIsWrong) {
  using Lines = std::vector<std::string>;
  test::RecordCapture log;
  TestOutput::State state;
  AccessLog access(std::make_unique<TestOutput>(state), AccessLog::Format::Combined);
  state.takes = false;
  access.write(page());
  access.write(page());
  EXPECT_EQ(log.take(), Lines{});
  state.takes = true;
  access.write(page());
  EXPECT_EQ(log.take(), Lines{"warning 2 lines of the access log lost: the reader is too slow"});
  state.trouble = "the disk is full";
  access.write(page());
  EXPECT_EQ(log.take(), Lines{"error the disk is full"});
}

}  // namespace
}  // namespace wsproxy::session
