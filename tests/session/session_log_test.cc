// What a session leaves in the log and in the access log.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "session/access_log.h"
#include "session/log_limits.h"
#include "session/session.h"
#include "support/builders.h"
#include "support/fake_clock.h"
#include "support/fake_dialer.h"
#include "support/record_capture.h"
#include "support/scripted_stream.h"

namespace wsproxy::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Peer;

constexpr std::string_view kUpgrade =
    "GET /websockify?token=secret HTTP/1.1\r\n"
    "Host: desk.example:6080\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "User-Agent: Viewer \"1\"\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "\r\n";

class Lines final : public log::Output {
 public:
  explicit Lines(std::vector<std::string>& lines) : lines_(lines) {}
  bool write(std::string_view line) override {
    lines_.emplace_back(line);
    return true;
  }

 private:
  std::vector<std::string>& lines_;
};

class SessionLogTest : public testing::Test {
 protected:
  SessionLogTest()
      : loop_(clock_),
        pool_(kBlock),
        scratch_(kBlock),
        settings_(std::make_shared<Settings>()),
        limits_(std::make_unique<LogLimits>(loop_)),
        access_log_(std::make_unique<Lines>(access_), AccessLog::Format::Json),
        client_(std::make_shared<Peer>()),
        target_(std::make_shared<Peer>()) {
    settings_->target = {"localhost", 5900, ""};
    settings_->names = *access::HostNames::make({"*"}, {});
  }

  void begin() {
    client_ = std::make_shared<Peer>();
    machinery_.emplace(
        Machinery{loop_, dialer_, admission_, pool_, scratch_, limits_.get(), &access_log_});
    session_ =
        std::make_unique<Session>(7, std::make_unique<test::ScriptedStream>(client_), "10.0.0.7:51",
                                  settings_, *machinery_, [this](Session&) { session_.reset(); });
    session_->advance();
  }
  void turn(int times = 4) {
    for (int i = 0; i < times; ++i) {
      if (session_) session_->client_event({.read = true, .write = true});
      if (session_ && session_->phase() == Phase::Relay)
        session_->target_event({.read = true, .write = true});
      loop_.turn(Duration::zero());
    }
  }
  void receive(std::string_view bytes) {
    client_->to_read += bytes;
    turn();
  }
  void pass(Duration time) {
    clock_.advance(time);
    loop_.turn(Duration::zero());
    loop_.turn(Duration::zero());
  }
  void end_client() {
    client_->eof = true;
    turn();
  }
  void open_relay() {
    begin();
    receive(kUpgrade);
    dialer_.connect(target_);
    ASSERT_EQ(session_->phase(), Phase::Relay);
  }
  // The only line of the access log since the last call, from its session on.
  std::string access() {
    const auto lines = std::exchange(access_, {});
    if (lines.size() != 1) return std::to_string(lines.size()) + " lines";
    return lines[0].substr(lines[0].find("\"session\""));
  }

  static constexpr std::size_t kBlock = 65536;
  test::RecordCapture log_;
  test::FakeClock clock_;
  io::EventLoop loop_;
  test::FakeDialer dialer_;
  Admission admission_{clock_, [] {}};
  BufferPool pool_;
  std::vector<std::byte> scratch_;
  std::optional<Machinery> machinery_;
  std::shared_ptr<Settings> settings_;
  std::unique_ptr<LogLimits> limits_;
  std::vector<std::string> access_;
  AccessLog access_log_;
  std::shared_ptr<Peer> client_;
  std::shared_ptr<Peer> target_;
  std::unique_ptr<Session> session_;
};

TEST_F(SessionLogTest, OpenAndClosedLinesHaveTheirFields) {
  open_relay();
  const auto opened = log_.take();
  ASSERT_EQ(opened.size(), 1U);
  EXPECT_EQ(
      opened[0],
      "info [s7 10.0.0.7:51] open target=localhost:5900 path=\"/websockify\" tls=no session=7 "
      "client=10.0.0.7:51 target=localhost:5900 path=/websockify");
  clock_.advance(milliseconds(1500));
  target_->to_read = "hello";
  receive(test::text_of(test::masked_frame(ws::Opcode::Binary, true, "abc")));
  receive(
      test::text_of(test::masked_frame(ws::Opcode::Close, true, std::string_view("\x03\xe8", 2))));
  end_client();
  const auto closed = log_.take();
  ASSERT_EQ(closed.size(), 1U);
  EXPECT_EQ(
      closed[0],
      "info [s7 10.0.0.7:51] closed reason=\"client closed\" code=1000 to_target=3 to_client=5 "
      "duration=1.500s session=7 client=10.0.0.7:51 target=localhost:5900 reason=client closed "
      "close_code=1000 bytes_to_target=3 bytes_to_client=5 duration=1.500");
}

TEST_F(SessionLogTest, ASessionIsOneLineOfTheAccessLogWhenItEnds) {
  open_relay();
  EXPECT_EQ(access(), "0 lines");
  clock_.advance(milliseconds(1500));
  target_->to_read = "hello";
  receive(test::text_of(test::masked_frame(ws::Opcode::Binary, true, "abc")));
  receive(
      test::text_of(test::masked_frame(ws::Opcode::Close, true, std::string_view("\x03\xe8", 2))));
  end_client();
  pass(seconds(2));
  EXPECT_EQ(session_, nullptr);
  EXPECT_EQ(access(), R"("session":7,"client":"10.0.0.7:51","method":"GET","path":"/websockify",)"
                      R"("protocol":"HTTP/1.1","status":101,"user_agent":"Viewer \"1\"",)"
                      R"("target":"localhost:5900","bytes_to_target":3,"bytes_to_client":5,)"
                      R"("close_code":1000,"duration":1.500})"
                      "\n");
}

TEST_F(SessionLogTest, ASessionThatIsCutHasItsLineToo) {
  open_relay();
  session_->cut();
  loop_.turn(Duration::zero());
  EXPECT_TRUE(access().starts_with(R"("session":7,)"));
  EXPECT_EQ(session_, nullptr);
}

TEST_F(SessionLogTest, EachRequestOfAConnectionIsALine) {
  begin();
  receive("GET /none?token=secret HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(access(), R"("session":7,"client":"10.0.0.7:51","method":"GET","path":"/none",)"
                      R"("protocol":"HTTP/1.1","status":404,"bytes":)" +
                          std::to_string(client_->written.size()) + ",\"duration\":0.000}\n");
  receive("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(access().find(R"("method":"HEAD","path":"/","protocol":"HTTP/1.1","status":200)"),
            std::string::npos);
  end_client();
  EXPECT_EQ(access(), "0 lines") << "the end of an idle connection is no request";
}

TEST_F(SessionLogTest, AnAnswerThatIsBrokenOffCountsWhatWasSent) {
  begin();
  client_->write_room = 1000;
  receive("GET /app.js HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(access(), "0 lines");
  pass(seconds(31));
  EXPECT_EQ(session_, nullptr);
  EXPECT_NE(access().find(R"("status":200,"bytes":1000,"duration":31.000)"), std::string::npos);
}

TEST_F(SessionLogTest, ABadHeadIsALineWithoutARequest) {
  begin();
  receive("GET / HTTP/1.1\r\nHost : a\r\n\r\n");
  EXPECT_TRUE(access().starts_with(R"("session":7,"client":"10.0.0.7:51","status":400,"bytes":)"));
}

TEST_F(SessionLogTest, RefusalsOfAllSessionsTogetherAreLimited) {
  for (int i = 0; i < 50; ++i) {
    begin();
    receive("BREW / HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  EXPECT_EQ(log_.take().size(), 20U);
  EXPECT_EQ(access_.size(), 50U);
  pass(seconds(11));
  EXPECT_EQ(
      log_.take(),
      (std::vector<std::string>{"info refused requests (30 more like this in the last 11 s)"}));
}

TEST_F(SessionLogTest, FailedTlsHandshakesAndBrokenRequestsAreLimitedEachForThemselves) {
  for (int i = 0; i < 25; ++i) {
    begin();
    receive(std::string_view("\x16\x03\x01\x02\x00", 5));
    begin();
    receive("GET / HT");
    end_client();
  }
  EXPECT_EQ(log_.take().size(), 40U);
  session_.reset();
  limits_.reset();
  const auto said = log_.take();
  EXPECT_EQ(said, (std::vector<std::string>{
                      "info requests broken off (5 more like this in the last 0 s)",
                      "info TLS handshakes failed (5 more like this in the last 0 s)"}));
}

TEST_F(SessionLogTest, ClosedLinesAreNotLimited) {
  for (int i = 0; i < 50; ++i) {
    target_ = std::make_shared<Peer>();
    open_relay();
    session_->cut();
    loop_.turn(Duration::zero());
  }
  EXPECT_EQ(log_.take().size(), 100U);
}

}  // namespace
}  // namespace wsproxy::session
