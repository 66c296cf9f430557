#include "tls/tls_dialer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/plain_stream.h"
#include "support/builders.h"
#include "support/fake_clock.h"
#include "support/fake_dialer.h"
#include "support/tls_pair.h"

namespace wsproxy::tls {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class TlsDialerTest : public testing::Test {
 protected:
  TlsDialerTest()
      : loop_(clock_),
        certificate_({.name = "desk.example"}),
        ca_(certificate_.cert_pem),
        serving_(test::serve(certificate_)),
        dialer_(loop_, inner_, ClientContext::load({.ca_file = ca_.path()}).value()) {}

  void dial(const io::Endpoint& target = {"desk.example", 5901, ""}) {
    dial_ = dialer_.dial(target, {.lookup = seconds(5), .connect = seconds(10)}, [this] {
      ++wakes_;
      // as a session does it: the dial may be what calls us
      taken_ = dial_->take();
      loop_.defer([done = std::move(dial_)] {});
    });
  }
  // The connection is made; gives the target's end of it.
  UniqueFd answer() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    inner_.connect(std::make_unique<io::PlainStream>(UniqueFd(ends[0])));
    return UniqueFd(ends[1]);
  }
  void connect() { target_ = serving_->accept(std::make_unique<io::PlainStream>(answer())); }
  // Both sides go on until the dial is done.
  void shake_hands() {
    for (int turn = 0; turn < 20 && wakes_ == 0; ++turn) {
      target_->handshake();
      loop_.turn(Duration::zero());
    }
  }
  void pass(Duration time) {
    clock_.advance(time);
    loop_.turn(Duration::zero());
    loop_.turn(Duration::zero());
  }
  std::string error() {
    if (taken_) return "none";
    return taken_.error().message();
  }

  test::FakeClock clock_;
  io::EventLoop loop_;
  const test::Certificate certificate_;
  const test::TempFile ca_;
  std::shared_ptr<const TlsContext> serving_;
  test::FakeDialer inner_;
  TlsDialer dialer_;
  std::unique_ptr<io::Dial> dial_;
  std::unique_ptr<TlsStream> target_;
  int wakes_ = 0;
  Result<std::unique_ptr<io::Stream>> taken_;
};

TEST_F(TlsDialerTest, GivesAStreamThatIsReadyForData) {
  dial();
  EXPECT_TRUE(dial_->pending());
  connect();
  shake_hands();
  ASSERT_EQ(wakes_, 1);
  ASSERT_TRUE(taken_) << error();
  target_->handshake();
  const std::array parts = {as_bytes("RFB 003.008\n")};
  ASSERT_TRUE(target_->write(parts).is_ok());
  std::vector<std::byte> room(100);
  EXPECT_EQ((*taken_)->read(room).bytes, 12U);
  // the descriptor is free for the session's own watch
  io::Watch watch(loop_, (*taken_)->fd(), [](io::Ready) {});
  watch.set({.read = true});
}

TEST_F(TlsDialerTest, SaysWhatIsWrongWithTheCertificate) {
  dial({"other.example", 5901, ""});
  connect();
  shake_hands();
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(error(), "cannot reach other.example:5901: TLS: certificate is for desk.example");
  EXPECT_EQ(taken_.error().code, Errc::Tls);
}

TEST_F(TlsDialerTest, PassesOnThatNobodyAnswers) {
  dial();
  inner_.refuse("cannot reach desk.example:5901: connection refused");
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(error(), "cannot reach desk.example:5901: connection refused");
}

TEST_F(TlsDialerTest, TheHandshakeIsPartOfTheTimeToConnect) {
  dial();
  pass(seconds(4));
  const UniqueFd silent = answer();
  pass(milliseconds(5999));
  EXPECT_EQ(wakes_, 0);
  pass(milliseconds(1));
  EXPECT_EQ(wakes_, 1);
  EXPECT_EQ(error(), "cannot reach desk.example:5901: TLS: no end of the handshake in time");
  EXPECT_EQ(taken_.error().code, Errc::TimedOut);
}

TEST_F(TlsDialerTest, ASlowLookUpLeavesTheHandshakeASecond) {
  dial();
  pass(seconds(14));
  const UniqueFd silent = answer();
  pass(milliseconds(999));
  EXPECT_EQ(wakes_, 0);
  pass(milliseconds(1));
  EXPECT_EQ(wakes_, 1);
}

TEST_F(TlsDialerTest, ATargetThatHangsUpIsNotWaitedFor) {
  dial();
  answer().reset();
  loop_.turn(Duration::zero());
  EXPECT_EQ(wakes_, 1);
  EXPECT_THAT(error(), testing::StartsWith("cannot reach desk.example:5901: TLS: "));
}

TEST_F(TlsDialerTest, DestroyingItCancelsInEveryState) {
  dial();
  dial_.reset();
  EXPECT_EQ(inner_.pending, nullptr);
  dial();
  const UniqueFd silent = answer();
  dial_.reset();
  pass(seconds(20));
  EXPECT_EQ(wakes_, 0);
  char byte = 0;
  while (::recv(silent.get(), &byte, 1, 0) == 1) {
  }
  EXPECT_EQ(::recv(silent.get(), &byte, 1, 0), 0) << "closed";
}

TEST_F(TlsDialerTest, RefusesUnixSockets) {
  dial({"", 0, "/run/vnc"});
  EXPECT_EQ(wakes_, 0) << "never from within the call";
  pass(Duration::zero());
  EXPECT_EQ(error(), "cannot reach unix:/run/vnc: TLS: not to a Unix socket");
}

}  // namespace
}  // namespace wsproxy::tls
