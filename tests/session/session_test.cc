#include "session/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <string>

#include "support/fake_clock.h"
#include "support/fake_dialer.h"
#include "support/log_capture.h"
#include "support/scripted_stream.h"
#include "ws/frame_encoder.h"

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
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: chat , binary\r\n"
    "\r\n";

// A client's frame: masked, of one piece.
std::string frame(ws::Opcode opcode, std::string_view payload, bool fin = true) {
  std::string out;
  out += static_cast<char>((fin ? 0x80 : 0) | static_cast<int>(opcode));
  if (payload.size() < 126) {
    out += static_cast<char>(0x80 | payload.size());
  } else if (payload.size() <= 0xffff) {
    out += {static_cast<char>(0xfe), static_cast<char>(payload.size() >> 8),
            static_cast<char>(payload.size())};
  } else {
    out += static_cast<char>(0xff);
    for (int shift = 56; shift >= 0; shift -= 8) {
      out += static_cast<char>(std::uint64_t{payload.size()} >> shift);
    }
  }
  const std::string mask = "\x12\x34\x56\x78";
  out += mask;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    out += static_cast<char>(payload[i] ^ mask[i % 4]);
  }
  return out;
}

std::string close_frame(unsigned code, std::string_view reason = "") {
  std::string payload = {static_cast<char>(code >> 8), static_cast<char>(code)};
  return frame(ws::Opcode::Close, payload + std::string(reason));
}

// A server's Close frame.
std::string server_close(unsigned code, std::string_view reason) {
  std::string out = "\x88";
  out += static_cast<char>(2 + reason.size());
  out += {static_cast<char>(code >> 8), static_cast<char>(code)};
  return out + std::string(reason);
}

class SessionTest : public testing::Test {
 protected:
  SessionTest()
      : loop_(clock_),
        pool_(kBlock),
        scratch_(kBlock),
        settings_(std::make_shared<Settings>()),
        client_(std::make_shared<Peer>()),
        target_(std::make_shared<Peer>()) {
    settings_->target = {"localhost", 5900, ""};
    settings_->names = *access::HostNames::make({"*"}, {});
  }

  void begin(Admission::Visit visit = {}) {
    session_ = std::make_unique<Session>(
        1, std::make_unique<test::ScriptedStream>(client_), "10.0.0.7:51", settings_, machinery_,
        [this](Session&) { session_.reset(); }, std::move(visit));
    session_->advance();
  }

  // Scripted streams have no descriptor, so the test is the loop: it reports what the session asked
  // for and the streams can do, level-triggered, until nothing is left to report.
  static io::Ready ready(const Peer& peer, io::Interest interest) {
    const bool readable = peer.to_read.size() > peer.inside || (peer.to_read.empty() && peer.eof) ||
                          peer.read_error != 0;
    return {.read = interest.read && readable,
            .write = interest.write && (peer.write_room > 0 || peer.write_error != 0),
            .hang_up = (interest.hang_up && peer.eof && peer.to_read.empty()) ||
                       (interest.error && peer.read_error != 0)};
  }
  static bool any(io::Ready ready) { return ready.read || ready.write || ready.hang_up; }
  void poke() {
    for (int turn = 0; turn < 1000; ++turn) {
      bool idle = true;
      if (session_) {
        const io::Ready client = ready(*client_, session_->client_interest());
        if (any(client)) session_->client_event(client);
        idle = idle && !any(client);
      }
      if (session_) {
        const io::Ready target = ready(*target_, session_->target_interest());
        if (any(target)) session_->target_event(target);
        idle = idle && !any(target);
      }
      loop_.turn(Duration::zero());
      if (idle) return;
    }
    FAIL() << "the session spins: it asks for what it does not use";
  }
  void pass(Duration time) {
    clock_.advance(time);
    loop_.turn(Duration::zero());
    loop_.turn(Duration::zero());
  }
  void receive(std::string_view bytes) {
    client_->to_read += bytes;
    poke();
  }
  // Everything sent to the client since the last call.
  std::string sent() { return std::exchange(client_->written, {}); }

  Admission::Place take_place() {
    Admission::Visit visit;
    return std::move(*admission_.admit(visit, "elsewhere", {}));
  }

  void open_relay() {
    begin();
    receive(kUpgrade);
    dialer_.connect(target_);
    ASSERT_EQ(session_->phase(), Phase::Relay);
    ASSERT_TRUE(sent().starts_with("HTTP/1.1 101 "));
  }

  static constexpr std::size_t kBlock = 65536;
  test::FakeClock clock_;
  io::EventLoop loop_;
  test::FakeDialer dialer_;
  Admission admission_{clock_, [this] { ++left_; }};
  int left_ = 0;
  BufferPool pool_;
  std::vector<std::byte> scratch_;
  const Machinery machinery_{loop_, dialer_, admission_, pool_, scratch_};
  std::shared_ptr<Settings> settings_;
  std::shared_ptr<Peer> client_;
  std::shared_ptr<Peer> target_;
  std::unique_ptr<Session> session_;
};

// --- before the upgrade ---

TEST_F(SessionTest, ServesThePageAndKeepsTheConnection) {
  begin();
  receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(session_->phase(), Phase::ReadRequest);
  receive("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 404 "));
  EXPECT_EQ(session_->phase(), Phase::ReadRequest);
}

TEST_F(SessionTest, AnswersPipelinedRequestsInOrder) {
  begin();
  receive(
      "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /none HTTP/1.1\r\nHost: a\r\n\r\n"
      "HEAD /vnc.html HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string all = sent();
  const auto first = all.find("HTTP/1.1 200");
  const auto second = all.find("HTTP/1.1 404");
  const auto third = all.rfind("HTTP/1.1 200");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_TRUE(client_->write_shut);
}

TEST_F(SessionTest, AnswersAHalfRequestWith408AtTheDeadline) {
  begin();
  receive("GET / HTTP/1.1\r\nHo");
  pass(seconds(9));
  EXPECT_EQ(sent(), "");
  receive("s");  // a byte now and then moves no deadline
  pass(milliseconds(1001));
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 408 "));
  EXPECT_TRUE(client_->write_shut);
}

TEST_F(SessionTest, DropsAClientThatSendsNothing) {
  begin();
  pass(seconds(11));
  EXPECT_EQ(session_, nullptr);
  EXPECT_EQ(client_->written, "");
  EXPECT_TRUE(client_->closed);
}

TEST_F(SessionTest, RefusesGarbageAtItsFirstByte) {
  begin();
  receive(std::string_view("\x80\x00\x01", 3));
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 400 "));
}

TEST_F(SessionTest, RefusesAHeadOver16KiB) {
  begin();
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  while (head.size() < 17000) head += "X-Filler: 0123456789012345678901234567890123456789\r\n";
  receive(head);
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 431 "));
}

TEST_F(SessionTest, SendsAnAlertToATlsClientWhereThereIsNoTls) {
  begin();
  receive(std::string_view("\x16\x03\x01\x02\x00", 5));
  EXPECT_EQ(sent(), std::string("\x15\x03\x01\x00\x02\x02\x28", 7));
  EXPECT_TRUE(client_->write_shut);
}

TEST_F(SessionTest, RefusesPlainRequestsWhenTlsIsAMust) {
  settings_->config.ssl_only = true;
  begin();
  receive(kUpgrade);
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(dialer_.dialled, "");
}

TEST_F(SessionTest, LeadsAPlainGetToAConfiguredNameAndNeverToHost) {
  settings_->config.ssl_only = true;
  const auto answer_to = [&](std::string_view request) {
    client_ = std::make_shared<Peer>();
    begin();
    receive(request);
    return sent();
  };
  constexpr std::string_view kGet = "GET /a?b=c HTTP/1.1\r\nHost: localhost\r\n\r\n";
  settings_->config.server_name = {"*", "*.example.org"};
  EXPECT_TRUE(answer_to(kGet).starts_with("HTTP/1.1 400 ")) << "a pattern is no name";

  settings_->config.server_name = {"*.example.org", "desk.example.org", "other.example.org"};
  const std::string answer = answer_to(kGet);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 308 "));
  EXPECT_NE(answer.find("\r\nLocation: https://desk.example.org/a?b=c\r\n"), std::string::npos);
  EXPECT_NE(answer_to("HEAD //x/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .find("\r\nLocation: https://desk.example.org//x/\r\n"),
            std::string::npos);
  EXPECT_TRUE(answer_to(kUpgrade).starts_with("HTTP/1.1 400 ")) << "no browser follows it";
  EXPECT_TRUE(answer_to("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(answer_to("GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
                  .starts_with("HTTP/1.1 400 "));

  settings_->config.server_name = {"2001:db8::1"};
  EXPECT_NE(answer_to(kGet).find("\r\nLocation: https://[2001:db8::1]/a?b=c\r\n"),
            std::string::npos);
}

TEST_F(SessionTest, TheHostOfAnAbsoluteTargetIsTheOneThatCounts) {
  // RFC 9112 section 3.2.2: the received Host is to be ignored then
  settings_->names = {};
  begin();
  receive("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 421 "));
  client_ = std::make_shared<Peer>();
  begin();
  receive("GET http://localhost/ HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 200 "));
}

TEST_F(SessionTest, NamesTheVersionItSpeaks) {
  begin();
  std::string request(kUpgrade);
  request.replace(request.find("Version: 13"), 11, "Version: 8");
  receive(request);
  const std::string answer = sent();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 426 "));
  EXPECT_NE(answer.find("\r\nSec-WebSocket-Version: 13\r\n"), std::string::npos);
  // RFC 9110 section 15.5.22, and 7.8 for the option that goes with it
  EXPECT_NE(answer.find("\r\nUpgrade: websocket\r\n"), std::string::npos);
  EXPECT_NE(answer.find("\r\nConnection: Upgrade\r\n"), std::string::npos);
}

TEST_F(SessionTest, ARefusedHeadOfAHeadGetsNoBody) {
  // RFC 9110 section 9.3.2, whatever is wrong with the rest of it
  for (const std::string_view request :
       {"HEAD / HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\nA: \x01",
        "HEAD / HTTP/2.0\r\n\r\n"}) {
    client_ = std::make_shared<Peer>();
    begin();
    receive(request);
    const std::string answer = sent();
    EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
    EXPECT_NE(answer.find("\r\nContent-Length: "), std::string::npos) << answer;
  }
}

TEST_F(SessionTest, AnUnknownMethodIsNotImplementedEvenForAnUpgrade) {
  begin();
  std::string request(kUpgrade);
  receive(request.replace(0, 3, "BREW"));
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 501 "));
}

TEST_F(SessionTest, LingersForTheClientsFinButNotForEver) {
  begin();
  receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 405 "));
  EXPECT_EQ(session_->phase(), Phase::Linger);
  pass(milliseconds(1001));
  EXPECT_EQ(session_, nullptr);
}

TEST_F(SessionTest, GivesUpOnAClientThatTakesNothingOfThePage) {
  begin();
  client_->write_room = 1000;
  receive("GET /app.js HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client_->written.size(), 1000U);
  pass(seconds(31));
  EXPECT_EQ(session_, nullptr);
}

TEST_F(SessionTest, EventsWithoutProgressDoNotKeepAReplyAlive) {
  begin();
  client_->write_room = 1000;
  receive("GET /app.js HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(client_->written.size(), 1000U);
  for (int i = 0; i < 29; ++i) {
    pass(seconds(1));
    ASSERT_NE(session_, nullptr) << i;
    session_->client_event({.write = true});  // it polls writable, but takes nothing
  }
  pass(seconds(2));
  EXPECT_EQ(session_, nullptr);
}

TEST_F(SessionTest, ASlowReaderOfAReplyIsKeptWhileItTakesSomething) {
  begin();
  client_->write_room = 1000;
  receive("GET /app.js HTTP/1.1\r\nHost: a\r\n\r\n");
  for (int i = 0; i < 10; ++i) {
    pass(seconds(29));
    ASSERT_NE(session_, nullptr) << i;
    client_->write_room = 100;
    poke();
  }
  EXPECT_EQ(client_->written.size(), 2000U);
}

// --- Host and Origin ---

std::string upgrade_with(std::string_view host, std::string_view origin) {
  std::string request(kUpgrade);
  request.replace(request.find("desk.example:6080"), 17, host);
  if (!origin.empty()) {
    request.insert(request.find("Upgrade:"), "Origin: " + std::string(origin) + "\r\n");
  }
  return request;
}

TEST_F(SessionTest, RefusesAPageOfAnotherOriginBeforeItDials) {
  begin();
  receive(upgrade_with("desk.example:6080", "http://evil.example"));
  const std::string answer = sent();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 403 "));
  EXPECT_EQ(answer.find("evil"), std::string::npos);
  EXPECT_EQ(dialer_.dialled, "");
  EXPECT_EQ(admission_.admitted(), 0U);
}

TEST_F(SessionTest, RefusesTwoOrigins) {
  begin();
  receive(
      upgrade_with("desk.example:6080", "http://desk.example:6080\r\nOrigin: http://evil.example"));
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(dialer_.dialled, "");
}

TEST_F(SessionTest, LetsItsOwnPagesConnect) {
  begin();
  receive(upgrade_with("desk.example:6080", "http://desk.example:6080"));
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 101 "));
}

TEST_F(SessionTest, LetsListedOriginsConnect) {
  settings_->origins = *access::OriginRules::parse({"https://portal.example"});
  begin();
  receive(upgrade_with("desk.example:6080", "https://portal.example"));
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 101 "));
}

TEST_F(SessionTest, AReboundNameGetsNeitherPageNorWebSocket) {
  settings_->names = {};
  begin();
  receive("GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n");
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 421 "));
  client_ = std::make_shared<Peer>();
  begin();
  receive(upgrade_with("rebound.example", "http://rebound.example"));
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 421 "));
  EXPECT_EQ(dialer_.dialled, "");
}

TEST_F(SessionTest, AHostThatIsNoneIsRefusedEvenWhereAllNamesAreOurs) {
  begin();
  receive("GET / HTTP/1.1\r\nHost: a:b:c\r\n\r\n");
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 400 "));
}

// --- upgrade and dialling ---

TEST_F(SessionTest, AnswersTheUpgradeBeforeItDials) {
  begin();
  receive(kUpgrade);
  const std::string answer = sent();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 "));
  EXPECT_NE(answer.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            std::string::npos);
  EXPECT_NE(answer.find("Sec-WebSocket-Protocol: binary\r\n"), std::string::npos);
  EXPECT_EQ(dialer_.dialled, "localhost:5900");
  EXPECT_EQ(session_->phase(), Phase::Connect);
}

TEST_F(SessionTest, TellsWhyTheTargetCannotBeReached) {
  begin();
  receive(kUpgrade);
  sent();
  dialer_.refuse("cannot reach localhost:5900: connection refused");
  EXPECT_EQ(sent(), server_close(1011, "cannot reach localhost:5900: connection refused"));
  receive(close_frame(1011));
  client_->eof = true;
  poke();
  EXPECT_EQ(session_, nullptr);
}

TEST_F(SessionTest, KeepsWhatCameWithTheRequest) {
  begin();
  receive(std::string(kUpgrade) + frame(ws::Opcode::Binary, "early") +
          frame(ws::Opcode::Ping, "are you there"));
  EXPECT_TRUE(
      sent().ends_with("\x8a\x0d"
                       "are you there"));
  dialer_.connect(target_);
  poke();
  EXPECT_EQ(target_->written, "early");
}

TEST_F(SessionTest, DeliversWhatWasSentBeforeACloseThatCameWhileDialling) {
  begin();
  receive(std::string(kUpgrade) + frame(ws::Opcode::Binary, "last words") + close_frame(1000));
  EXPECT_TRUE(sent().ends_with(server_close(1000, "")));
  dialer_.connect(target_);
  poke();
  EXPECT_EQ(target_->written, "last words");
  EXPECT_TRUE(target_->write_shut);
}

TEST_F(SessionTest, CancelsTheDialOfAClientThatLeft) {
  begin();
  receive(kUpgrade);
  receive(close_frame(1001));
  EXPECT_TRUE(dialer_.cancelled);
}

TEST_F(SessionTest, AClientThatHalfClosesWhileDiallingWithNothingSentEndsAtOnce) {
  begin();
  receive(kUpgrade);
  client_->eof = true;
  poke();
  EXPECT_TRUE(dialer_.cancelled);
  EXPECT_EQ(session_, nullptr) << "without a wait for the drain time-out";
  EXPECT_TRUE(client_->closed);
}

TEST_F(SessionTest, DeliversWhatWasSentBeforeAHalfCloseThatCameWhileDialling) {
  begin();
  receive(kUpgrade);
  client_->to_read = frame(ws::Opcode::Binary, "last words");
  client_->eof = true;
  poke();
  EXPECT_FALSE(dialer_.cancelled);
  dialer_.connect(target_);
  poke();
  EXPECT_EQ(target_->written, "last words");
  EXPECT_TRUE(target_->write_shut);
}

// --- the relay ---

TEST_F(SessionTest, RelaysBothWays) {
  open_relay();
  receive(frame(ws::Opcode::Binary, "up"));
  EXPECT_EQ(target_->written, "up");
  target_->to_read = "down";
  poke();
  EXPECT_EQ(sent(),
            "\x82\x04"
            "down");
}

TEST_F(SessionTest, EchoesACloseAndEndsTheTarget) {
  open_relay();
  receive(frame(ws::Opcode::Binary, "bye") + close_frame(4001, "done"));
  EXPECT_EQ(sent(), server_close(4001, "done"));
  EXPECT_EQ(target_->written, "bye");
  EXPECT_TRUE(target_->write_shut);
  EXPECT_TRUE(client_->write_shut);
  client_->eof = true;
  poke();
  EXPECT_TRUE(target_->closed);
}

TEST_F(SessionTest, ClosesWith1002AfterAViolationAndRelaysNothingBehindIt) {
  open_relay();
  receive(frame(ws::Opcode::Binary, "good") +
          std::string("\x82\x03"
                      "bad",
                      5) +
          frame(ws::Opcode::Binary, "behind"));
  EXPECT_EQ(sent(), server_close(1002, "bad frame: frame not masked"));
  EXPECT_EQ(target_->written, "good");
  EXPECT_TRUE(client_->write_shut);
}

TEST_F(SessionTest, ClosesATextFrameWith1003) {
  open_relay();
  receive(frame(ws::Opcode::Text, "hello"));
  EXPECT_EQ(sent(), server_close(1003, "bad frame: text frame where binary was agreed"));
  EXPECT_EQ(target_->written, "");
}

TEST_F(SessionTest, AnswersACloseReasonThatIsNotUtf8With1007) {
  open_relay();
  receive(close_frame(1000, "\xc0\xaf"));
  EXPECT_EQ(sent(), server_close(1007, "bad Close frame"));
}

TEST_F(SessionTest, SendsWhatTheTargetSaidBeforeItsEof) {
  open_relay();
  target_->to_read = std::string(100000, 'x');
  target_->eof = true;
  poke();
  const std::string all = sent();
  const std::string end = server_close(1000, "the server closed the connection");
  EXPECT_GT(all.size(), 100000U);
  EXPECT_TRUE(all.ends_with(end));
  // what the client had sent before it heard of it still arrives
  receive(frame(ws::Opcode::Binary, "late") + close_frame(1000));
  EXPECT_EQ(target_->written, "late");
  EXPECT_TRUE(target_->write_shut);
}

TEST_F(SessionTest, TellsThatTheTargetsConnectionBroke) {
  open_relay();
  target_->read_error = ECONNRESET;
  poke();
  EXPECT_EQ(sent(),
            server_close(1001, "the connection to the server was lost: connection reset by peer"));
}

TEST_F(SessionTest, TellsOfAResetThatAWriteMetFirst) {
  open_relay();
  target_->write_error = ECONNRESET;
  receive(frame(ws::Opcode::Binary, "typed"));
  target_->eof = true;  // the write took the error with it
  poke();
  EXPECT_EQ(sent(),
            server_close(1001, "the connection to the server was lost: connection reset by peer"));
}

// A browser's tab that closes: its socket takes nothing more, but what it sent is still to be read.
TEST_F(SessionTest, AClientThatTakesNothingMoreIsStillReadToItsClose) {
  open_relay();
  const std::string typed(200000, 'k');
  client_->write_error = EPIPE;
  client_->to_read = frame(ws::Opcode::Binary, typed) + frame(ws::Opcode::Ping, "?") +
                     frame(ws::Opcode::Binary, "last") + close_frame(1001);
  target_->to_read = "update";
  session_->target_event({.read = true});  // so the failure is met before the client is read
  EXPECT_EQ(session_->phase(), Phase::Drain);
  poke();
  EXPECT_EQ(target_->written, typed + "last");
  EXPECT_TRUE(target_->write_shut);
  EXPECT_EQ(client_->written, "");
}

TEST_F(SessionTest, AClientThatTakesNothingMoreAndNeverEndsIsDroppedInBoundedTime) {
  open_relay();
  client_->write_error = EPIPE;
  target_->to_read = "update";
  poke();
  for (int i = 0; i < 12 && session_; ++i) {
    receive(frame(ws::Opcode::Binary, "still talking"));
    pass(seconds(1));
  }
  EXPECT_EQ(session_, nullptr);
}

TEST_F(SessionTest, HalfClosedClientStillGetsTheTargetsAnswer) {
  open_relay();
  client_->to_read = frame(ws::Opcode::Binary, "question");
  client_->eof = true;
  poke();
  EXPECT_EQ(target_->written, "question");
  EXPECT_TRUE(target_->write_shut);
  target_->to_read = "answer";
  poke();
  EXPECT_EQ(sent(),
            "\x82\x06"
            "answer");
}

TEST_F(SessionTest, AStalledTargetStopsTheReadsFromTheClient) {
  open_relay();
  target_->write_room = 0;
  const std::string big = frame(ws::Opcode::Binary, std::string(200000, 'a'));
  receive(big);
  poke();
  EXPECT_GT(client_->to_read.size(), big.size() - kBlock - 20);  // a ring's worth was taken
  const std::size_t left = client_->to_read.size();
  const std::size_t reads = client_->reads;
  poke();
  EXPECT_EQ(client_->to_read.size(), left);
  EXPECT_EQ(client_->reads, reads);
  target_->write_room = 1000000;
  poke();
  poke();
  EXPECT_EQ(target_->written, std::string(200000, 'a'));
}

TEST_F(SessionTest, AStalledClientStopsTheReadsFromTheTarget) {
  open_relay();
  client_->write_room = 0;
  target_->to_read = std::string(200000, 'b');
  poke();
  EXPECT_GT(target_->to_read.size(), 200000U - kBlock);
  const std::size_t reads = target_->reads;
  poke();
  EXPECT_EQ(target_->reads, reads);
  client_->write_room = 1000000;
  poke();
  poke();
  EXPECT_GT(client_->written.size(), 200000U);
}

TEST_F(SessionTest, ATargetsResetIsNoticedWhileItsClientTakesNothing) {
  open_relay();
  client_->write_room = 0;
  target_->to_read = std::string(kBlock + 1000, 'Z');
  poke();
  EXPECT_EQ(session_->phase(), Phase::Relay) << "a client may take as long as it likes";
  target_->read_error = ECONNRESET;
  poke();
  ASSERT_EQ(session_->phase(), Phase::Drain);
  client_->write_room = kBlock / 2;
  poke();
  pass(seconds(4));
  client_->write_room = 4 * kBlock;
  poke();
  EXPECT_EQ(std::ranges::count(client_->written, 'Z'), kBlock + 1000) << "what it had sent arrives";
  EXPECT_NE(client_->written.find("\x03\xe9the connection to the server was lost"),
            std::string::npos);
}

TEST_F(SessionTest, AClientThatTakesNothingAfterItsTargetsResetIsCutInBoundedTime) {
  const test::LogCapture log;
  open_relay();
  client_->write_room = 0;
  target_->to_read = std::string(2 * kBlock, 'b');
  poke();
  target_->read_error = ECONNRESET;
  poke();
  pass(seconds(6));
  EXPECT_EQ(session_, nullptr);
  const std::string lines = log.take();
  EXPECT_NE(lines.find("the connection to the server was lost; gave up on what was still"),
            std::string::npos)
      << lines;
}

TEST_F(SessionTest, AnswersOnlyTheLastOfManyPingsWhenTheClientStalls) {
  open_relay();
  client_->write_room = 0;
  target_->to_read = std::string(200000, 'b');
  poke();
  for (int i = 0; i < 100; ++i)
    receive(frame(ws::Opcode::Ping, std::string(120, 'p') + std::to_string(i)));
  target_->to_read.clear();
  client_->write_room = 1000000;
  poke();
  EXPECT_NE(client_->written.find("p99"), std::string::npos);
  EXPECT_EQ(client_->written.find("p50"), std::string::npos);
}

// --- a target whose stream keeps bytes of its own, as TLS does ---

TEST_F(SessionTest, WhatCameWithTheTargetsHandshakeReachesTheClient) {
  begin();
  receive(kUpgrade);
  sent();
  target_->to_read = "RFB 003.008\n";
  target_->inside = target_->to_read.size();  // the socket has nothing more to say
  dialer_.connect(target_);
  poke();
  EXPECT_EQ(sent(), "\x82\x0cRFB 003.008\n");
}

TEST_F(SessionTest, GoesOnWithWhatIsInsideTheTargetsStream) {
  open_relay();
  target_->read_limit = 10;
  target_->to_read = std::string(25, 'x');
  target_->inside = 25;  // no descriptor tells of them
  receive(frame(ws::Opcode::Binary, "x"));
  EXPECT_EQ(sent(), "\x82\x0axxxxxxxxxx\x82\x0axxxxxxxxxx\x82\x05xxxxx");
}

TEST_F(SessionTest, WhatIsInsideTheTargetsStreamWaitsForAStalledClient) {
  open_relay();
  client_->write_room = 0;
  target_->to_read = std::string(3 * kBlock, 'x');
  target_->inside = target_->to_read.size();
  poke();
  target_->to_read += "y";
  poke();
  EXPECT_GT(target_->to_read.size(), kBlock);
  client_->write_room = 10 * kBlock;
  poke();
  EXPECT_TRUE(target_->to_read.empty());
}

TEST_F(SessionTest, AsksForTheTargetToBeWrittenUntilItsStreamIsFlushed) {
  open_relay();
  target_->keeps_rest = true;
  target_->write_room = 1;
  receive(frame(ws::Opcode::Binary, "abc"));
  EXPECT_EQ(target_->written, "a");
  EXPECT_TRUE(session_->target_interest().write);
  target_->write_room = 100;
  poke();
  EXPECT_EQ(target_->written, "abc");
  EXPECT_FALSE(session_->target_interest().write);
}

TEST_F(SessionTest, TheTargetsEndWaitsForWhatItsStreamHolds) {
  open_relay();
  target_->keeps_rest = true;
  target_->write_room = 1;
  receive(frame(ws::Opcode::Binary, "last words") + close_frame(1000));
  EXPECT_FALSE(target_->write_shut);
  EXPECT_EQ(session_->phase(), Phase::Drain);
  for (int i = 0; i < 3; ++i) {  // as long as it moves, it is waited for
    pass(settings_->config.drain_timeout - seconds(1));
    target_->write_room = 1;
    poke();
    ASSERT_TRUE(session_);
    EXPECT_EQ(session_->phase(), Phase::Drain);
  }
  target_->write_room = 100;
  poke();
  EXPECT_EQ(target_->written, "last words");
  EXPECT_TRUE(target_->write_shut);
}

TEST_F(SessionTest, ATargetThatFailsWhileItsStreamHoldsBytesEndsTheSession) {
  open_relay();
  target_->keeps_rest = true;
  target_->write_room = 0;
  receive(frame(ws::Opcode::Binary, "lost"));
  target_->write_error = ECONNRESET;
  target_->read_error = ECONNRESET;
  poke();
  EXPECT_TRUE(sent().contains("connection reset by peer"));
}

// --- shutting down, and clients that stall ---

TEST_F(SessionTest, ShuttingDownSays1001) {
  open_relay();
  session_->shut_down();
  EXPECT_EQ(sent(), server_close(1001, "the proxy is shutting down"));
  receive(close_frame(1001));
  client_->eof = true;
  poke();
  EXPECT_EQ(session_, nullptr);
}

TEST_F(SessionTest, WhoStopsItAsksOftenAndDoesNotShortenItsDeadlineBySo) {
  open_relay();
  target_->keeps_rest = true;
  target_->write_room = 1;
  receive(frame(ws::Opcode::Binary, "last words") + close_frame(1000));
  ASSERT_EQ(session_->phase(), Phase::Drain);
  session_->shut_down();
  EXPECT_FALSE(session_->is_moving());
  target_->write_room = 1;
  poke();
  EXPECT_TRUE(session_->is_moving());
  EXPECT_FALSE(session_->is_moving());
  pass(settings_->config.drain_timeout);
  ASSERT_TRUE(session_) << "a byte has left since it began to drain";
  EXPECT_EQ(session_->phase(), Phase::Drain);
}

TEST_F(SessionTest, AClientThatNeverAnswersACloseIsDroppedInBoundedTime) {
  open_relay();
  target_->eof = true;
  poke();
  for (int i = 0; i < 6 && session_; ++i) {
    receive(frame(ws::Opcode::Binary, "still talking"));
    pass(seconds(1));
  }
  EXPECT_EQ(session_, nullptr);
}

TEST_F(SessionTest, DrainTimeStartsAnewWithEveryByteThatMoves) {
  open_relay();
  client_->write_room = 0;
  target_->to_read = std::string(50000, 'c');
  target_->eof = true;
  poke();
  for (int i = 0; i < 10; ++i) {  // slow, but it takes a little every 3 s
    client_->write_room = 1000;
    poke();
    pass(seconds(3));
    ASSERT_NE(session_, nullptr) << i;
  }
  pass(seconds(6));
  EXPECT_EQ(session_, nullptr);
}

TEST_F(SessionTest, AStalledClientIsDroppedInBoundedTimeThoughItKeepsSending) {
  open_relay();
  client_->write_room = 0;
  target_->to_read = std::string(50000, 'c');
  target_->eof = true;
  poke();
  ASSERT_EQ(session_->phase(), Phase::Drain);
  for (int i = 0; i < 12 && session_; ++i) {
    receive(frame(ws::Opcode::Binary, "still typing"));
    pass(seconds(1));
  }
  EXPECT_EQ(session_, nullptr);
  EXPECT_TRUE(target_->closed);
}

// The other way round: the target takes nothing of what is left, but goes on talking.
TEST_F(SessionTest, AStalledTargetIsDroppedInBoundedTimeThoughItKeepsSending) {
  open_relay();
  target_->write_room = 0;
  receive(frame(ws::Opcode::Binary, "last words") + close_frame(1000));
  ASSERT_EQ(session_->phase(), Phase::Drain);
  for (int i = 0; i < 12 && session_; ++i) {
    target_->to_read += "one more update";
    poke();
    pass(seconds(1));
  }
  EXPECT_EQ(session_, nullptr);
}

// --- the end ---

TEST_F(SessionTest, CutEndsItAtOnceInEveryPhase) {
  const auto cut = [this] {
    session_->cut();
    loop_.turn(Duration::zero());
    EXPECT_EQ(session_, nullptr);
    EXPECT_TRUE(client_->closed);
    client_ = std::make_shared<Peer>();
  };
  begin();
  cut();
  begin();
  receive("GET / HT");
  cut();
  begin();
  receive(kUpgrade);
  cut();
  EXPECT_TRUE(dialer_.cancelled);
  open_relay();
  target_->write_room = 0;
  receive(frame(ws::Opcode::Binary, "stuck") + close_frame(1000));
  cut();
  EXPECT_TRUE(target_->closed);
}

// on_closed destroys the session that held it: it must not go with it before it has returned.
TEST_F(SessionTest, TheCallbackOutlivesTheSessionThatItDestroys) {
  const Machinery machinery{loop_, dialer_, admission_, pool_, scratch_};
  int called = 0;
  auto on_closed = [this, &called](const Session& ended) {
    EXPECT_EQ(ended.id(), 1U);
    session_.reset();
    ++called;
  };
  session_ = std::make_unique<Session>(1, std::make_unique<test::ScriptedStream>(client_),
                                       "10.0.0.7:51", settings_, machinery, std::ref(on_closed));
  session_->advance();
  session_->cut();
  EXPECT_EQ(called, 0) << "never from within a call of ours";
  loop_.turn(Duration::zero());
  EXPECT_EQ(called, 1);
}

TEST_F(SessionTest, OldPagesGetBase64) {
  begin();
  std::string request(kUpgrade);
  request.replace(request.find("chat , binary"), 13, "base64");
  receive(request);
  EXPECT_NE(sent().find("Sec-WebSocket-Protocol: base64\r\n"), std::string::npos);
  dialer_.connect(target_);
  receive(frame(ws::Opcode::Text, "UkZC"));
  EXPECT_EQ(target_->written, "RFB");
  target_->to_read = "RFB 003.008\n";
  poke();
  EXPECT_EQ(sent(),
            "\x81\x10"
            "UkZCIDAwMy4wMDgK");
}

TEST_F(SessionTest, GivesItsBuffersBackWhenIdle) {
  open_relay();
  receive(frame(ws::Opcode::Binary, "x"));
  target_->to_read = "y";
  poke();
  // both rings are empty, so their blocks are in the pool: two can be had without a new one
  const auto first = pool_.take();
  EXPECT_NE(first, nullptr);
}

// --- heartbeats ---

constexpr std::string_view kPing("\x89\x00", 2);

TEST_F(SessionTest, PingsAClientThatHasBeenQuiet) {
  open_relay();
  pass(seconds(15));
  poke();
  EXPECT_EQ(sent(), kPing);
  receive(frame(ws::Opcode::Pong, ""));
  pass(seconds(15));  // the answer counts for this look
  poke();
  EXPECT_EQ(sent(), "");
  pass(seconds(15));
  poke();
  EXPECT_EQ(sent(), kPing);
  EXPECT_EQ(target_->written, "") << "a Pong is not the target's business";
}

TEST_F(SessionTest, DoesNotPingAClientThatTypes) {
  open_relay();
  for (int i = 0; i < 10; ++i) {
    receive(frame(ws::Opcode::Binary, "key"));
    pass(seconds(15));
    poke();
  }
  EXPECT_EQ(sent(), "");
}

TEST_F(SessionTest, ClosesAClientThatAnswersNoPing) {
  open_relay();
  pass(seconds(15));
  poke();
  EXPECT_EQ(sent(), kPing);
  pass(seconds(15));
  EXPECT_EQ(session_->phase(), Phase::Relay);
  pass(seconds(15));
  poke();
  EXPECT_EQ(sent(), server_close(1001, "no answer to a ping"));
  pass(seconds(5));  // the drain time: it does not answer the Close either
  EXPECT_EQ(session_, nullptr);
  EXPECT_TRUE(target_->closed);
}

TEST_F(SessionTest, WithoutAHeartbeatAQuietClientIsLeftAlone) {
  settings_->config.heartbeat = seconds(0);
  open_relay();
  pass(std::chrono::hours(24));
  poke();
  EXPECT_EQ(sent(), "");
  EXPECT_EQ(session_->phase(), Phase::Relay);
}

TEST_F(SessionTest, APingWaitsForRoomBehindAFullRing) {
  open_relay();
  client_->write_room = 0;
  target_->to_read = std::string(200000, 'x');
  poke();
  pass(seconds(15));
  poke();
  client_->write_room = std::numeric_limits<std::size_t>::max();
  poke();
  const std::string all = sent();
  EXPECT_NE(all.find(kPing), std::string::npos);
}

// --- admission ---

TEST_F(SessionTest, RefusesAnUpgradeOverTheLimitWith503) {
  settings_->config.max_sessions = 1;
  const Admission::Place taken = take_place();
  begin();
  receive(kUpgrade);
  const std::string reply = sent();
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 503 ")) << reply;
  EXPECT_NE(reply.find("\r\nRetry-After: 10\r\n"), std::string::npos) << reply;
  EXPECT_EQ(dialer_.dialled, "");
}

TEST_F(SessionTest, APlaceIsTakenFromTheUpgradeToTheEnd) {
  open_relay();
  EXPECT_EQ(admission_.present(), 1u);
  session_->cut();
  loop_.turn(Duration::zero());
  ASSERT_EQ(session_, nullptr);
  EXPECT_EQ(admission_.present(), 0u);
  EXPECT_EQ(left_, 1);
}

TEST_F(SessionTest, WhoIsOverALimitIsToldWhenToComeAgain) {
  const ConnectionLimits limits{.rate = 1};
  const ClientKey client(*SocketAddress::numeric("192.0.2.1", 5000));
  const auto first = admission_.arrive(client, limits);
  begin(std::move(*admission_.arrive(client, limits)));
  receive("GET / HTTP/1.1\r\nHost: desk\r\n\r\n");
  const std::string reply = sent();
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 429 Too Many Requests\r\n")) << reply;
  EXPECT_NE(reply.find("\r\nRetry-After: 1\r\n"), std::string::npos) << reply;
  EXPECT_TRUE(client_->write_shut) << "there is no second request";
}

TEST_F(SessionTest, WhoIsOverALimitAndDoesNotAskIsNotWaitedFor) {
  const ConnectionLimits limits{.pending = {.start = 0, .percent = 100, .full = 1}};
  begin(std::move(*admission_.arrive({}, limits)));
  pass(milliseconds(1900));
  EXPECT_NE(session_, nullptr);
  pass(milliseconds(100));
  EXPECT_EQ(session_, nullptr);
}

TEST_F(SessionTest, AClientHasSoManySessions) {
  settings_->elsewhere.sessions = 1;
  const ClientKey client(*SocketAddress::numeric("192.0.2.1", 5000));
  auto first = admission_.arrive(client, {});
  auto place = admission_.admit(*first, "elsewhere", {});
  begin(std::move(*admission_.arrive(client, {})));
  receive(kUpgrade);
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 429 "));
  EXPECT_EQ(dialer_.dialled, "");
}

TEST_F(SessionTest, ATargetHasSoManySessions) {
  settings_->config.max_sessions_per_target = 1;
  Admission::Visit visit;
  const auto elsewhere = admission_.admit(visit, "desk2:5900", {});
  open_relay();
  const auto first = std::exchange(session_, nullptr);
  client_ = std::make_shared<Peer>();
  begin();
  receive(kUpgrade);
  const std::string reply = sent();
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 503 ")) << reply;
  EXPECT_NE(reply.find("\r\nRetry-After: "), std::string::npos) << reply;
}

TEST_F(SessionTest, HeadsHaveTheLimitsThatAreConfigured) {
  settings_->config.max_header_bytes = 2000;
  settings_->config.max_headers = 10;
  const auto with = [](const std::string& more) {
    return "GET / HTTP/1.1\r\nHost: desk\r\n" + more + "\r\n";
  };
  const auto status = [&](const std::string& request) {
    client_ = std::make_shared<Peer>();
    begin();
    receive(request);
    return sent().substr(9, 3);
  };
  const auto of_bytes = [&](std::size_t total) {
    const std::size_t rest = total - with("A: \r\n").size();
    return with("A: " + std::string(rest, 'x') + "\r\n");
  };
  EXPECT_EQ(status(of_bytes(2000)), "200");
  EXPECT_EQ(status(of_bytes(2001)), "431");
  std::string nine;
  for (int i = 0; i < 9; ++i) nine += "A: b\r\n";
  EXPECT_EQ(status(with(nine)), "200");
  EXPECT_EQ(status(with(nine + "A: b\r\n")), "431");
}

TEST_F(SessionTest, ASessionThatRelaysNothingEndsIfThatIsWanted) {
  settings_->config.heartbeat = seconds(0);
  settings_->config.session_idle_timeout = seconds(60);
  open_relay();
  for (int i = 0; i < 10; ++i) {
    target_->to_read = "x";
    poke();
    receive(frame(ws::Opcode::Ping, ""));
    pass(seconds(15));
  }
  ASSERT_EQ(session_->phase(), Phase::Relay);
  sent();
  for (int i = 0; i < 4; ++i) pass(seconds(15));
  EXPECT_EQ(sent(), server_close(1000, "nothing was sent for too long"));
}

TEST_F(SessionTest, ASessionEndsWhenItsTimeIsUpThoughItIsStillDialling) {
  settings_->config.session_max_duration = seconds(3);
  begin();
  receive(kUpgrade);
  sent();
  pass(seconds(3));
  EXPECT_EQ(sent(), server_close(1000, "the session's time is up"));
  EXPECT_TRUE(dialer_.cancelled);
}

TEST_F(SessionTest, APageTakesNoPlace) {
  settings_->config.max_sessions = 1;
  const Admission::Place taken = take_place();
  begin();
  receive("GET / HTTP/1.1\r\nHost: desk\r\n\r\n");
  EXPECT_TRUE(sent().starts_with("HTTP/1.1 200 "));
}

TEST_F(SessionTest, SaysWhoItIsForTheOperator) {
  open_relay();
  receive(frame(ws::Opcode::Binary, "12345"));
  pass(seconds(7));
  EXPECT_EQ(session_->summary(),
            "[s1 10.0.0.7:51] relay age=7s target=localhost:5900 to_target=5 to_client=0");
}

TEST_F(SessionTest, AnEndMovesAsLongAsTheClientTakesSomething) {
  open_relay();
  client_->write_room = 0;
  target_->to_read = std::string(50000, 'c');
  poke();
  session_->shut_down();
  EXPECT_FALSE(session_->is_moving());
  client_->write_room = 1000;
  poke();
  EXPECT_TRUE(session_->is_moving());
  EXPECT_FALSE(session_->is_moving());
}

}  // namespace
}  // namespace wsproxy::session
