#include "session/relay.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/builders.h"
#include "support/fake_clock.h"
#include "support/scripted_stream.h"

namespace wsproxy::session {
namespace {

using test::Peer;
using ws::Opcode;

class Witness final : public RelayObserver {
 public:
  void from_client(Bytes payload) override { seen += "C:" + test::text_of(payload) + " "; }
  void from_target(Bytes payload) override { seen += "T:" + test::text_of(payload) + " "; }
  [[nodiscard]] bool has_room() const override { return room; }
  std::string seen;
  bool room = true;
};

class RelayTest : public testing::Test {
 protected:
  explicit RelayTest(ws::Payload payload = ws::Payload::Binary)
      : pool_(65536),
        scratch_(65536),
        client_peer_(std::make_shared<Peer>()),
        target_peer_(std::make_shared<Peer>()),
        client_(client_peer_),
        target_(target_peer_),
        relay_(client_, payload, pool_, scratch_) {
    relay_.observe(&witness_);
    relay_.attach(target_);
  }
  void client_sends(Opcode opcode, std::string_view payload) {
    client_peer_->to_read += test::text_of(test::masked_frame(opcode, true, payload));
  }

  BufferPool pool_;
  std::vector<std::byte> scratch_;
  std::shared_ptr<Peer> client_peer_, target_peer_;
  test::ScriptedStream client_, target_;
  Witness witness_;
  Relay relay_;
};

class Base64RelayTest : public RelayTest {
 protected:
  Base64RelayTest() : RelayTest(ws::Payload::Base64) {}
};

TEST_F(RelayTest, AnObserverSeesPayloadWithoutFramesAndMasks) {
  client_sends(Opcode::Binary, "hello");
  relay_.pump(true, false);
  client_sends(Opcode::Ping, "ping");
  client_sends(Opcode::Binary, "more");
  relay_.pump(true, false);
  target_peer_->to_read = "answer";
  relay_.pump(false, true);
  EXPECT_EQ(witness_.seen, "C:hello C:more T:answer ");
  EXPECT_EQ(target_peer_->written, "hellomore");
}

TEST_F(Base64RelayTest, AnObserverSeesPayloadWithoutBase64) {
  client_sends(Opcode::Text, "aGVsbG8=");
  target_peer_->to_read = "answer";
  relay_.pump(true, true);
  EXPECT_EQ(witness_.seen, "C:hello T:answer ");
}

TEST_F(RelayTest, WithoutRoomAtTheObserverNothingIsRead) {
  witness_.room = false;
  client_sends(Opcode::Binary, "hello");
  target_peer_->to_read = "answer";
  EXPECT_FALSE(relay_.client_interest().read);
  EXPECT_FALSE(relay_.target_interest().read);
  EXPECT_FALSE(relay_.can_continue());
  relay_.pump(true, true);
  EXPECT_EQ(client_peer_->reads + target_peer_->reads, 0U);
  EXPECT_EQ(witness_.seen, "");
  witness_.room = true;
  EXPECT_TRUE(relay_.client_interest().read);
  EXPECT_TRUE(relay_.target_interest().read);
  relay_.pump(true, true);
  EXPECT_EQ(witness_.seen, "C:hello T:answer ");
}

TEST_F(RelayTest, WithoutRoomAtTheObserverAClientThatHangsUpIsNoticed) {
  witness_.room = false;
  EXPECT_TRUE(relay_.client_interest().hang_up);
}

TEST_F(RelayTest, TooManyControlFramesEndTheSession) {
  test::FakeClock clock;
  relay_.limit_control_frames(clock, 20);
  for (int i = 0; i < 10; ++i) {
    client_sends(Opcode::Ping, "x");
    client_sends(Opcode::Pong, "");
  }
  relay_.pump(true, false);
  EXPECT_TRUE(relay_.both_open());
  clock.advance(std::chrono::milliseconds(50));
  client_sends(Opcode::Ping, "once more");
  relay_.pump(true, false);
  EXPECT_TRUE(relay_.both_open()) << "a twentieth of a second is worth a frame";
  client_peer_->written.clear();
  client_sends(Opcode::Binary, "before");
  client_sends(Opcode::Pong, "");
  client_sends(Opcode::Binary, "behind");
  relay_.pump(true, false);
  EXPECT_EQ(relay_.ending_code(), ws::CloseCode::PolicyViolation);
  EXPECT_EQ(relay_.ending(), "too many control frames");
  EXPECT_EQ(client_peer_->written, "\x88\x19\x03\xf0too many control frames");
  EXPECT_EQ(target_peer_->written, "before");
  EXPECT_TRUE(relay_.done());
}

TEST_F(RelayTest, DataFramesAreNoControlFrames) {
  test::FakeClock clock;
  relay_.limit_control_frames(clock, 1);
  for (int i = 0; i < 1000; ++i) client_sends(Opcode::Binary, "");
  relay_.pump(true, false);
  EXPECT_TRUE(relay_.both_open());
}

TEST_F(RelayTest, ALimitOfZeroControlFramesIsNone) {
  test::FakeClock clock;
  relay_.limit_control_frames(clock, 0);
  for (int i = 0; i < 1000; ++i) client_sends(Opcode::Pong, "");
  relay_.pump(true, false);
  EXPECT_TRUE(relay_.both_open());
}

TEST_F(RelayTest, TheCloseFrameIsTheLastThingWritten) {
  target_peer_->to_read = "screen";
  relay_.pump(false, true);
  EXPECT_FALSE(client_peer_->last_written);
  client_sends(Opcode::Close, "\x03\xe8");
  relay_.pump(true, false);
  EXPECT_TRUE(relay_.done());
  EXPECT_TRUE(client_peer_->last_written);
}

TEST_F(RelayTest, ACloseFrameIsNotTheLastWhileTheTargetHasNotTakenAll) {
  target_peer_->write_room = 0;
  client_sends(Opcode::Binary, "keys");
  client_sends(Opcode::Close, "\x03\xe8");
  relay_.pump(true, false);
  EXPECT_TRUE(relay_.close_sent());
  EXPECT_FALSE(client_peer_->last_written) << "it would wait for the end, which does not come yet";
}

TEST_F(RelayTest, ADismissedObserverSeesNothingMore) {
  relay_.observe(nullptr);
  target_peer_->to_read = "answer";
  relay_.pump(false, true);
  EXPECT_EQ(witness_.seen, "");
  EXPECT_EQ(relay_.bytes_to_client(), 6U);
}

}  // namespace
}  // namespace wsproxy::session
