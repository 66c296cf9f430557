#include "ws/frame_encoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "base/base64.h"
#include "base/utf8.h"
#include "support/builders.h"

namespace wsproxy::ws {
namespace {

using test::bytes;
using test::pattern;
using test::text_of;

std::string contents(const RingBuffer& ring) {
  const auto [first, second] = ring.readable();
  return text_of(first) + text_of(second);
}

// A server's frame as a client reads it; `rest` is what follows.
struct Frame {
  unsigned first = 0;
  std::string payload;
  std::string rest;
};

Frame read_frame(const std::string& text) {
  const Bytes in = as_bytes(text);
  if (in.size() < 2) {
    ADD_FAILURE() << "no frame";
    return {};
  }
  Frame frame;
  frame.first = std::to_integer<unsigned>(in[0]);
  std::size_t size = 2;
  std::uint64_t length = std::to_integer<unsigned>(in[1]);
  EXPECT_LT(length, 128U) << "a server's frame is not masked";
  if (length >= 126) {
    const std::size_t length_bytes = length == 126 ? 2 : 8;
    length = load_big_endian(in.subspan(2, length_bytes));
    EXPECT_GT(length, length_bytes == 2 ? 125U : 65535U) << "the shortest form";
    size += length_bytes;
  }
  EXPECT_GE(in.size(), size + length);
  frame.payload = text.substr(size, length);
  frame.rest = text.substr(size + length);
  return frame;
}

// Puts one payload into the ring the way the relay does.
void send(RingBuffer& ring, Bytes payload, Payload kind = Payload::Binary) {
  const FrameEncoder encoder(kind);
  const MutableBytes room = encoder.room(ring);
  ASSERT_GE(room.size(), payload.size());
  std::ranges::copy(payload, room.begin());
  encoder.seal(ring, payload.size());
}

// A ring whose first free byte is at `head`.
void turn_to(RingBuffer& ring, std::size_t head) {
  ring.append(pattern(head));
  if (head > 1) ring.drop(head - 1);
}

constexpr std::size_t kRing = std::size_t{128} * 1024;

TEST(WriteFrameHeader, UsesTheShortestForm) {
  const auto header = [](Opcode opcode, std::uint64_t length) {
    std::array<std::byte, kMaxServerHeader> out{};
    const std::size_t size = write_frame_header(opcode, length, out);
    return std::vector<std::byte>(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
  };
  EXPECT_EQ(header(Opcode::Binary, 0), bytes({0x82, 0}));
  EXPECT_EQ(header(Opcode::Text, 125), bytes({0x81, 125}));
  EXPECT_EQ(header(Opcode::Binary, 126), bytes({0x82, 126, 0, 126}));
  EXPECT_EQ(header(Opcode::Binary, 65535), bytes({0x82, 126, 0xff, 0xff}));
  EXPECT_EQ(header(Opcode::Binary, 65536), bytes({0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}));
  EXPECT_EQ(header(Opcode::Binary, 0x0102030405060708), bytes({0x82, 127, 1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(header(Opcode::Pong, 3), bytes({0x8a, 3}));
}

TEST(FrameEncoder, SealsTheBytesOfTheRfc) {
  // RFC 6455 section 5.7: 256 bytes of binary data in one unmasked frame
  BufferPool pool(kRing);
  RingBuffer ring(pool);
  const auto payload = pattern(256);
  send(ring, payload);
  EXPECT_EQ(contents(ring), text_of(bytes({0x82, 0x7e, 0x01, 0x00})) + text_of(payload));
}

TEST(FrameEncoder, SealsEveryLengthOfHeader) {
  for (const std::size_t size : {1, 2, 124, 125, 126, 127, 1000, 65534, 65535}) {
    BufferPool pool(kRing);
    RingBuffer ring(pool);
    const auto payload = pattern(size);
    send(ring, payload);
    const Frame frame = read_frame(contents(ring));
    ASSERT_EQ(frame.first, 0x82U) << size;
    ASSERT_TRUE(frame.payload == text_of(payload)) << size;
    ASSERT_EQ(frame.rest, "") << size;
    ASSERT_EQ(ring.size(), size + (size <= 125 ? 2 : 4)) << size;
  }
}

TEST(FrameEncoder, SealsAtEveryOffsetOfTheRing) {
  constexpr std::size_t kSize = 2048;
  for (const std::size_t size : {1, 5, 125, 126, 600}) {
    for (std::size_t head = 1; head < kSize; ++head) {
      BufferPool pool(kSize);
      RingBuffer ring(pool);
      turn_to(ring, head);
      const FrameEncoder encoder(Payload::Binary);
      const MutableBytes room = encoder.room(ring);
      ASSERT_FALSE(room.empty());
      // what is contiguous may be less than the payload: then a part of it is read
      const auto payload = pattern(std::min(size, room.size()));
      std::ranges::copy(payload, room.begin());
      encoder.seal(ring, payload.size());
      const Frame frame = read_frame(contents(ring).substr(1));
      ASSERT_EQ(frame.first, 0x82U);
      ASSERT_TRUE(frame.payload == text_of(payload)) << size << " at " << head;
      ASSERT_EQ(frame.rest, "");
    }
  }
}

TEST(FrameEncoder, Base64SealsAtEveryOffsetOfTheRing) {
  constexpr std::size_t kSize = 2048;
  for (const std::size_t size : {1, 2, 3, 93, 94, 600}) {
    for (std::size_t head = 1; head < kSize; head += 3) {
      BufferPool pool(kSize);
      RingBuffer ring(pool);
      turn_to(ring, head);
      const FrameEncoder encoder(Payload::Base64);
      const MutableBytes room = encoder.room(ring);
      ASSERT_FALSE(room.empty());
      const auto payload = pattern(std::min(size, room.size()));
      std::ranges::copy(payload, room.begin());
      encoder.seal(ring, payload.size());
      const Frame frame = read_frame(contents(ring).substr(1));
      ASSERT_EQ(frame.first, 0x81U);
      ASSERT_EQ(base64_decode(frame.payload), text_of(payload)) << size << " at " << head;
      ASSERT_EQ(frame.rest, "");
    }
  }
}

TEST(FrameEncoder, RoomIsAtMostAFrameOf65535Bytes) {
  BufferPool pool(kRing * 2);
  RingBuffer ring(pool);
  EXPECT_EQ(FrameEncoder(Payload::Binary).room(ring).size(), 65535U);
  const std::size_t base64_room = FrameEncoder(Payload::Base64).room(ring).size();
  EXPECT_LE(base64_size(base64_room), 65535U);
  EXPECT_GT(base64_size(base64_room), 65500U);
}

TEST(FrameEncoder, HasRoomSaysWhetherRoomIsEmptyAtEveryFill) {
  constexpr std::size_t kSize = 3000;
  for (std::size_t fill = 0; fill <= kSize; ++fill) {
    BufferPool pool(kSize);
    RingBuffer ring(pool);
    ring.append(pattern(fill));
    const bool has_room = FrameEncoder::has_room(ring);
    ASSERT_EQ(FrameEncoder(Payload::Binary).room(ring).empty(), !has_room) << fill;
    ASSERT_EQ(FrameEncoder(Payload::Base64).room(ring).empty(), !has_room) << fill;
    ASSERT_TRUE(has_room || fill > 0);
    ASSERT_FALSE(has_room && fill == kSize);
  }
}

TEST(FrameEncoder, AFullRoomLeavesSpaceForAControlFrameAtEveryFill) {
  constexpr std::size_t kSize = 3000;
  for (const Payload kind : {Payload::Binary, Payload::Base64}) {
    for (std::size_t fill = 1; fill <= kSize; fill += 7) {
      BufferPool pool(kSize);
      RingBuffer ring(pool);
      turn_to(ring, fill);
      const FrameEncoder encoder(kind);
      while (true) {
        const MutableBytes room = encoder.room(ring);
        if (room.empty()) break;
        encoder.seal(ring, room.size());
      }
      ASSERT_TRUE(append_control(ring, Opcode::Close, pattern(125))) << fill;
    }
  }
}

TEST(FrameEncoder, ManyFramesInATurningRingReadBackInOrder) {
  for (const Payload kind : {Payload::Binary, Payload::Base64}) {
    BufferPool pool(5000);
    RingBuffer ring(pool);
    const FrameEncoder encoder(kind);
    std::mt19937 random(9);
    std::string wanted;
    std::string wire;
    for (std::uint32_t step = 0; step < 3000; ++step) {
      const MutableBytes room = encoder.room(ring);
      if (!room.empty()) {
        const std::size_t most =
            random() % 2 == 0 ? room.size() : std::min<std::size_t>(room.size(), 200);
        const auto payload = pattern(1 + random() % most, step);
        std::ranges::copy(payload, room.begin());
        encoder.seal(ring, payload.size());
        wanted += text_of(payload);
      }
      const std::size_t out = random() % (ring.size() + 1);
      wire += contents(ring).substr(0, out);
      ring.drop(out);
    }
    wire += contents(ring);
    std::string got;
    while (!wire.empty()) {
      Frame frame = read_frame(wire);
      ASSERT_EQ(frame.first, kind == Payload::Binary ? 0x82U : 0x81U);
      if (kind == Payload::Binary) {
        got += frame.payload;
      } else {
        const auto plain = base64_decode(frame.payload);
        ASSERT_TRUE(plain);
        got += *plain;
      }
      wire = std::move(frame.rest);
    }
    EXPECT_TRUE(got == wanted);
  }
}

TEST(FrameEncoderDeathTest, AnEmptyFrameIsABug) {
  BufferPool pool(kRing);
  RingBuffer ring(pool);
  EXPECT_DEATH(FrameEncoder(Payload::Binary).seal(ring, 0), "CHECK");
}

// --- control frames ---

TEST(AppendControl, WritesHeaderAndPayload) {
  BufferPool pool(200);
  RingBuffer ring(pool);
  EXPECT_TRUE(append_control(ring, Opcode::Pong, as_bytes("abc")));
  EXPECT_EQ(contents(ring),
            "\x8a\x03"
            "abc");
  EXPECT_TRUE(append_control(ring, Opcode::Ping, {}));
  EXPECT_EQ(contents(ring), std::string("\x8a\x03"
                                        "abc\x89\0",
                                        7));
}

TEST(AppendControl, WritesAllOfItOrNothing) {
  BufferPool pool(10);
  RingBuffer ring(pool);
  EXPECT_FALSE(append_control(ring, Opcode::Pong, pattern(9)));
  EXPECT_TRUE(ring.empty());
  EXPECT_TRUE(append_control(ring, Opcode::Pong, pattern(8)));
  EXPECT_EQ(ring.free(), 0U);
  EXPECT_FALSE(append_control(ring, Opcode::Pong, {}));
  EXPECT_EQ(ring.size(), 10U);
}

TEST(AppendControlDeathTest, MoreThan125BytesAreABug) {
  BufferPool pool(200);
  RingBuffer ring(pool);
  EXPECT_DEATH(append_control(ring, Opcode::Ping, pattern(126)), "CHECK");
}

TEST(AppendClose, WritesCodeAndReason) {
  BufferPool pool(200);
  RingBuffer ring(pool);
  EXPECT_TRUE(append_close(ring, CloseCode::ProtocolError, "bad frame"));
  EXPECT_EQ(contents(ring),
            "\x88\x0b\x03\xea"
            "bad frame");
}

TEST(AppendClose, WithoutCodeHasNoPayload) {
  BufferPool pool(200);
  RingBuffer ring(pool);
  EXPECT_TRUE(append_close(ring, CloseCode::None, "not sent"));
  EXPECT_EQ(contents(ring), std::string("\x88\0", 2));
}

TEST(AppendClose, WithoutReasonHasTwoBytes) {
  BufferPool pool(200);
  RingBuffer ring(pool);
  EXPECT_TRUE(append_close(ring, CloseCode::Normal, ""));
  EXPECT_EQ(contents(ring), "\x88\x02\x03\xe8");
}

TEST(AppendClose, CutsTheReasonBetweenCharacters) {
  const std::string_view characters[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x90\x8d\x88"};
  for (const std::string_view character : characters) {
    for (std::size_t lead = 0; lead < 4; ++lead) {
      std::string reason(lead, 'x');
      while (reason.size() < 200) reason += character;
      BufferPool pool(200);
      RingBuffer ring(pool);
      ASSERT_TRUE(append_close(ring, CloseCode::InternalError, reason));
      const Frame frame = read_frame(contents(ring));
      ClosePayload close;
      ASSERT_EQ(parse_close(as_bytes(frame.payload), close), CloseCode::None) << "still UTF-8";
      EXPECT_EQ(close.code, CloseCode::InternalError);
      EXPECT_EQ(close.reason, reason.substr(0, close.reason.size()));
      EXPECT_LE(close.reason.size(), kMaxCloseReason);
      EXPECT_GT(close.reason.size() + character.size(), kMaxCloseReason) << "no shorter than need";
    }
  }
}

TEST(AppendClose, KeepsAReasonOf123Bytes) {
  BufferPool pool(200);
  RingBuffer ring(pool);
  EXPECT_TRUE(append_close(ring, CloseCode::Normal, std::string(123, 'r')));
  EXPECT_EQ(ring.size(), 127U);
  EXPECT_EQ(read_frame(contents(ring)).payload, "\x03\xe8" + std::string(123, 'r'));
}

TEST(AppendClose, IsFalseWithoutRoom) {
  BufferPool pool(5);
  RingBuffer ring(pool);
  EXPECT_FALSE(append_close(ring, CloseCode::Normal, "why"));
  EXPECT_TRUE(ring.empty());
}

}  // namespace
}  // namespace wsproxy::ws
