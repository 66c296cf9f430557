#include "session/bulk.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "io/plain_stream.h"
#include "session/relay.h"
#include "support/builders.h"
#include "support/socket_pair.h"

namespace wsproxy::session {
namespace {

using test::SocketPair;

constexpr std::size_t kLarge = std::size_t{16} * 1024;

TEST(Bulk, FlowsAfterFourLargeReadsInARow) {
  io::PipePool pipes;
  Bulk bulk(&pipes);
  for (int i = 0; i < 3; ++i) bulk.note_read(kLarge);
  bulk.note_read(kLarge - 1);
  for (int i = 0; i < 3; ++i) bulk.note_read(kLarge);
  EXPECT_FALSE(bulk.flows());
  bulk.note_read(kLarge);
  EXPECT_TRUE(bulk.flows());
  bulk.note_read(100);
  EXPECT_FALSE(bulk.flows());
}

TEST(Bulk, NeverFlowsWithoutPipes) {
  Bulk bulk(nullptr);
  for (int i = 0; i < 9; ++i) bulk.note_read(kLarge);
  EXPECT_FALSE(bulk.flows());
}

TEST(Bulk, GivesUpWhereItCannotBeDone) {
  io::PipePool none(0);
  Bulk bulk(&none);
  for (int i = 0; i < 4; ++i) bulk.note_read(kLarge);
  const SocketPair pair = SocketPair::tcp();
  EXPECT_EQ(bulk.take(pair.ours.get()).kind, io::IoResult::Kind::Failed);
  EXPECT_FALSE(bulk.flows());
  EXPECT_TRUE(bulk.empty());
}

// --- a relay between real sockets ---

// What a client makes of the bytes that it gets.
struct Received {
  std::string payload;
  std::string controls;  // a letter each: P for a Ping, C for a Close
  std::size_t longest = 0;
  bool whole = true;  // nothing is left of the last frame
};

Received parse(std::string_view wire) {
  Received got;
  while (!wire.empty()) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(wire.at(i)); };
    std::size_t length = wire.size() > 1 ? byte(1) : 0;
    const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (wire.size() < 2 + more) return got.whole = false, got;
    if (more > 0) length = load_big_endian(as_bytes(wire.substr(2, more)));
    if (wire.size() < 2 + more + length) return got.whole = false, got;
    const std::string_view payload = wire.substr(2 + more, length);
    switch (byte(0)) {
      case 0x82: got.payload += payload; break;
      case 0x89: got.controls += 'P'; break;
      case 0x88: got.controls += 'C'; break;
      default: ADD_FAILURE() << "first byte of a frame: " << int{byte(0)};
    }
    got.longest = std::max(got.longest, length);
    wire.remove_prefix(2 + more + length);
  }
  return got;
}

class BulkRelayTest : public testing::Test {
 protected:
  BulkRelayTest() {
    relay_.emplace(client_stream_, ws::Payload::Binary, pool_, scratch_, &pipes_);
    relay_->attach(target_stream_);
  }

  // One turn, as the loop would do it.
  void turn() {
    const auto ready = [](const io::Interest& wanted, int fd) {
      return wanted.read && test::is_ready(fd, POLLIN);
    };
    const bool client = ready(relay_->client_interest(), client_stream_.fd());
    const bool target = ready(relay_->target_interest(), target_stream_.fd());
    relay_->pump(client, target);
    if (relay_->done()) client_stream_.shutdown_write();  // which the last bytes wait for
  }

  // The target sends until nobody takes more, and what is under way is in a pipe: when the last that the kernel
  // dealt out was so little that it was copied, the client reads and it goes on.
  void stall() {
    fill();
    for (int i = 0; i < 100 && pipes_.in_use() == 0; ++i) {
      wire_ += test::read_all(client_.theirs.get());
      fill();
    }
  }
  void fill() {
    for (int idle = 0; idle < 50;) {
      const std::string more = test::text_of(test::pattern(kLarge * 4, seed_++));
      const std::size_t n = test::send_some(target_.theirs.get(), more);
      sent_ += more.substr(0, n);
      idle = n == 0 ? idle + 1 : 0;
      turn();
    }
  }

  // The client reads until `wanted` bytes of payload are there, or the end.
  Received receive(std::size_t wanted, const std::string& controls = "") {
    constexpr std::string_view kEnd = "(end)";
    Received got;
    for (int i = 0; i < 100'000; ++i) {
      std::string more = test::read_all(client_.theirs.get());
      const bool ended = more.ends_with(kEnd);
      if (ended) more.resize(more.size() - kEnd.size());
      wire_ += more;
      turn();
      if (more.empty() && !ended && i > 0) continue;
      got = parse(wire_);
      if (ended || (got.payload.size() >= wanted && got.whole && got.controls == controls)) break;
    }
    return got;
  }

  io::PipePool pipes_;
  BufferPool pool_{65536};
  std::vector<std::byte> scratch_ = std::vector<std::byte>(65536);
  SocketPair client_ = SocketPair::tcp(1 << 18);
  SocketPair target_ = SocketPair::tcp(1 << 19);
  io::PlainStream client_stream_{std::move(client_.ours)};
  io::PlainStream target_stream_{std::move(target_.ours)};
  std::optional<Relay> relay_;
  std::uint32_t seed_ = 1;
  std::string sent_;
  std::string wire_;
};

TEST_F(BulkRelayTest, AStreamIsSplicedAndArrivesWhole) {
  stall();
  EXPECT_EQ(pipes_.in_use(), 1U);
  EXPECT_FALSE(relay_->target_interest().read);
  EXPECT_TRUE(relay_->client_interest().write);
  const Received got = receive(sent_.size());
  EXPECT_TRUE(got.payload == sent_) << got.payload.size() << " of " << sent_.size();
  EXPECT_EQ(relay_->bytes_to_client(), sent_.size());
  EXPECT_EQ(pipes_.in_use(), 0U);
  EXPECT_FALSE(relay_->client_interest().write);
}

TEST_F(BulkRelayTest, AnObservedStreamIsNot) {
  class Counter final : public RelayObserver {
   public:
    void from_client(Bytes) override {}
    void from_target(Bytes payload) override { seen += payload.size(); }
    [[nodiscard]] bool has_room() const override { return true; }
    std::size_t seen = 0;
  } counter;
  relay_->observe(&counter);
  fill();
  EXPECT_EQ(pipes_.in_use(), 0U);
  EXPECT_TRUE(receive(sent_.size()).payload == sent_);
  EXPECT_EQ(counter.seen, sent_.size());
}

TEST_F(BulkRelayTest, SmallUpdatesAreCopied) {
  for (int i = 0; i < 200; ++i) {
    const std::string update = test::text_of(test::pattern(1000, seed_++));
    sent_ += update;
    ASSERT_EQ(test::send_some(target_.theirs.get(), update), update.size());
    ASSERT_TRUE(test::wait_for(target_stream_.fd(), POLLIN));
    turn();
    EXPECT_EQ(pipes_.in_use(), 0U);
  }
  EXPECT_TRUE(receive(sent_.size()).payload == sent_);
}

TEST_F(BulkRelayTest, ATargetThatHangsUpMeanwhileIsReadLater) {
  stall();
  ASSERT_EQ(pipes_.in_use(), 1U);
  target_.theirs.reset();
  relay_->pump(false, true);
  EXPECT_TRUE(relay_->both_open());
  EXPECT_TRUE(receive(sent_.size(), "C").payload == sent_);
}

TEST_F(BulkRelayTest, APingWaitsForTheEndOfTheFrame) {
  stall();
  ASSERT_EQ(pipes_.in_use(), 1U);
  relay_->ping();
  turn();
  EXPECT_TRUE(receive(sent_.size(), "P").payload == sent_);
  EXPECT_EQ(parse(wire_).controls, "P");
}

TEST_F(BulkRelayTest, TheTargetsEndComesBehindAllOfItsBytes) {
  stall();
  ASSERT_EQ(pipes_.in_use(), 1U);
  target_.theirs.reset();
  const Received got = receive(sent_.size(), "C");
  EXPECT_TRUE(got.payload == sent_);
  EXPECT_EQ(got.controls, "C");
  EXPECT_TRUE(relay_->close_sent());
}

TEST_F(BulkRelayTest, AResetOfTheTargetClosesBehindAWholeFrame) {
  stall();
  ASSERT_EQ(pipes_.in_use(), 1U);
  const linger at_once{1, 0};
  ::setsockopt(target_.theirs.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  target_.theirs.reset();
  const Received got = receive(sent_.size() + 1, "C");  // some of it is lost with the reset
  EXPECT_TRUE(sent_.starts_with(got.payload));
  EXPECT_EQ(got.controls, "C");
  EXPECT_TRUE(got.whole);
  EXPECT_FALSE(relay_->both_open());
}

TEST_F(BulkRelayTest, AClientThatClosesGetsTheFrameToItsEndAndThenItsAnswer) {
  stall();
  ASSERT_EQ(pipes_.in_use(), 1U);
  const std::string close =
      test::text_of(test::masked_frame(ws::Opcode::Close, true, test::bytes({0x03, 0xe8})));
  ASSERT_EQ(test::send_some(client_.theirs.get(), close), close.size());
  ASSERT_TRUE(test::wait_for(client_stream_.fd(), POLLIN));
  turn();
  const Received got = receive(sent_.size() + 1, "C");
  EXPECT_TRUE(got.whole);
  EXPECT_EQ(got.controls, "C");
  EXPECT_TRUE(sent_.starts_with(got.payload));
  EXPECT_EQ(pipes_.in_use(), 0U);
  EXPECT_TRUE(relay_->close_sent());
}

TEST_F(BulkRelayTest, AClientThatIsGoneLeavesNoPipeBehind) {
  stall();
  ASSERT_EQ(pipes_.in_use(), 1U);
  const linger at_once{1, 0};
  ::setsockopt(client_.theirs.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  client_.theirs.reset();
  ASSERT_TRUE(test::wait_for(client_stream_.fd(), POLLIN));
  for (int i = 0; i < 10 && relay_->both_open(); ++i) turn();
  EXPECT_FALSE(relay_->both_open());
  EXPECT_EQ(pipes_.in_use(), 0U);
}

TEST_F(BulkRelayTest, AnEndOfTheSessionInTheMiddleLeavesNoPipeBehind) {
  stall();
  ASSERT_EQ(pipes_.in_use(), 1U);
  relay_.reset();
  EXPECT_EQ(pipes_.in_use(), 0U);
}

TEST_F(BulkRelayTest, WithAllPipesTakenTheStreamIsCopied) {
  std::vector<std::unique_ptr<io::PipePool::Pipe>> taken;
  while (auto pipe = pipes_.take()) taken.push_back(std::move(pipe));
  fill();
  EXPECT_TRUE(receive(sent_.size()).payload == sent_);
}

}  // namespace
}  // namespace wsproxy::session
