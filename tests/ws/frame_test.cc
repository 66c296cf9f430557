#include "ws/frame.h"

#include <gtest/gtest.h>

#include <string>

#include "support/builders.h"

namespace wsproxy::ws {
namespace {

using test::bytes;
using test::kMask;

constexpr Opcode kOpcodes[] = {Opcode::Continuation, Opcode::Text, Opcode::Binary,
                               Opcode::Close,        Opcode::Ping, Opcode::Pong};

// A masked binary frame's header with `length_bytes` bytes of length (0, 2 or 8).
std::vector<std::byte> header_of(std::uint64_t length, std::size_t length_bytes) {
  auto out = bytes({0x82});
  const std::uint64_t seven = length_bytes == 0 ? length : length_bytes == 2 ? 126 : 127;
  out.push_back(static_cast<std::byte>(0x80U | seven));
  std::array<std::byte, 8> number{};
  store_big_endian(length, MutableBytes(number).first(length_bytes));
  test::append(out, Bytes(number).first(length_bytes));
  test::append(out, kMask);
  return out;
}

std::string why_bad(Bytes in) {
  FrameHeader header;
  const char* why = nullptr;
  const Parse parsed = parse_frame_header(in, header, &why);
  if (parsed != Parse::Bad) return parsed == Parse::Done ? "done" : "more";
  return why;
}

TEST(FrameHeader, AsksForMoreAtEveryCut) {
  for (const auto& whole :
       {header_of(0, 0), header_of(125, 0), header_of(126, 2), header_of(65535, 2),
        header_of(65536, 8), header_of((std::uint64_t{1} << 63) - 1, 8)}) {
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
      FrameHeader header;
      header.length = 4711;
      header.size = 4712;
      ASSERT_EQ(parse_frame_header(Bytes(whole).first(cut), header), Parse::NeedMore) << cut;
      ASSERT_EQ(header.length, 4711U) << "untouched";
      ASSERT_EQ(header.size, 4712U) << "untouched";
    }
    FrameHeader header;
    ASSERT_EQ(parse_frame_header(whole, header), Parse::Done);
    ASSERT_EQ(header.size, whole.size());
  }
}

TEST(FrameHeader, ReadsFinOpcodeAndMask) {
  for (const Opcode opcode : kOpcodes) {
    for (const bool fin : {true, false}) {
      if (is_control(opcode) && !fin) continue;
      const auto in = test::masked_frame(opcode, fin, "hello");
      FrameHeader header;
      ASSERT_EQ(parse_frame_header(in, header), Parse::Done);
      EXPECT_EQ(header.opcode, opcode);
      EXPECT_EQ(header.fin, fin);
      EXPECT_EQ(header.length, 5U);
      EXPECT_EQ(header.mask, kMask);
      EXPECT_EQ(header.size, 6U) << "the payload behind it does not count";
    }
  }
}

TEST(FrameHeader, ReadsEveryFormOfLength) {
  const std::pair<std::uint64_t, std::size_t> cases[] = {
      {0, 0},
      {1, 0},
      {125, 0},
      {126, 2},
      {127, 2},
      {256, 2},
      {65535, 2},
      {65536, 8},
      {std::uint64_t{1} << 32, 8},
      {0x0102030405060708U, 8},
      {(std::uint64_t{1} << 63) - 1, 8},
  };
  for (const auto& [length, length_bytes] : cases) {
    FrameHeader header;
    ASSERT_EQ(parse_frame_header(header_of(length, length_bytes), header), Parse::Done) << length;
    EXPECT_EQ(header.length, length);
    EXPECT_EQ(header.size, 6 + length_bytes);
    EXPECT_EQ(header.mask, kMask);
  }
}

TEST(FrameHeader, RefusesATopBitAsSoonAsItsByteIsThere) {
  FrameHeader header;
  EXPECT_EQ(parse_frame_header(bytes({0x82, 0xff}), header), Parse::NeedMore);
  EXPECT_EQ(parse_frame_header(bytes({0x82, 0xff, 0x80}), header), Parse::Bad);
  EXPECT_EQ(parse_frame_header(bytes({0x82, 0xff, 0x7f}), header), Parse::NeedMore);
}

TEST(FrameHeader, RefusesALengthNotInItsShortestForm) {
  for (const std::uint64_t length : {0U, 1U, 125U}) {
    EXPECT_EQ(why_bad(header_of(length, 2)), "length not minimal") << length;
    EXPECT_EQ(why_bad(header_of(length, 8)), "length not minimal") << length;
  }
  for (const std::uint64_t length : {126U, 127U, 65535U}) {
    EXPECT_EQ(why_bad(header_of(length, 8)), "length not minimal") << length;
  }
}

TEST(FrameHeader, RefusesALengthWithItsTopBit) {
  EXPECT_EQ(why_bad(header_of(std::uint64_t{1} << 63, 8)), "length has its top bit set");
  EXPECT_EQ(why_bad(header_of(~std::uint64_t{0}, 8)), "length has its top bit set");
}

TEST(FrameHeader, RefusesReservedBits) {
  for (const int bit : {0x40, 0x20, 0x10, 0x70}) {
    EXPECT_EQ(why_bad(bytes({0x82 | bit})), "reserved bit set") << bit;
  }
}

TEST(FrameHeader, RefusesReservedOpcodes) {
  for (const int opcode : {0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf}) {
    EXPECT_EQ(why_bad(bytes({0x80 | opcode})), "reserved opcode") << opcode;
    EXPECT_EQ(why_bad(bytes({opcode})), "reserved opcode") << opcode;
  }
}

TEST(FrameHeader, RefusesASplitControlFrame) {
  for (const int opcode : {0x8, 0x9, 0xa}) {
    EXPECT_EQ(why_bad(bytes({opcode})), "control frame split") << opcode;
  }
}

TEST(FrameHeader, RefusesALongControlFrame) {
  for (const int opcode : {0x88, 0x89, 0x8a}) {
    EXPECT_EQ(why_bad(bytes({opcode, 0x80 | 125})), "more") << opcode;
    EXPECT_EQ(why_bad(bytes({opcode, 0x80 | 126})), "control frame over 125 bytes") << opcode;
    EXPECT_EQ(why_bad(bytes({opcode, 0x80 | 127})), "control frame over 125 bytes") << opcode;
  }
}

TEST(FrameHeader, RefusesAFrameWithoutMask) {
  for (const int length : {0, 1, 125, 126, 127}) {
    EXPECT_EQ(why_bad(bytes({0x82, length})), "frame not masked") << length;
  }
}

TEST(FrameHeader, DecidesEveryPairOfFirstBytes) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const int opcode = first & 0xf;
      const bool control = opcode >= 8;
      const bool bad = (first & 0x70) != 0 || (opcode > 2 && opcode < 8) || opcode > 10 ||
                       (control && (first & 0x80) == 0) || (second & 0x80) == 0 ||
                       (control && (second & 0x7f) > 125);
      FrameHeader header;
      ASSERT_EQ(parse_frame_header(bytes({first, second}), header),
                bad ? Parse::Bad : Parse::NeedMore)
          << first << " " << second;
    }
  }
}

TEST(FrameHeader, MayBeReadWithoutAskingWhy) {
  FrameHeader header;
  EXPECT_EQ(parse_frame_header(bytes({0xf2}), header), Parse::Bad);
}

// --- Close payloads ---

CloseCode parse(Bytes payload, ClosePayload& out) { return parse_close(payload, out); }

TEST(ParseClose, WithoutPayloadHasNoCode) {
  ClosePayload close{CloseCode::Normal, "old"};
  EXPECT_EQ(parse({}, close), CloseCode::None);
  EXPECT_EQ(close.code, CloseCode::None);
  EXPECT_EQ(close.reason, "");
}

TEST(ParseClose, OfOneByteIsAProtocolError) {
  ClosePayload close;
  EXPECT_EQ(parse(bytes({3}), close), CloseCode::ProtocolError);
}

TEST(ParseClose, TakesTheCodesThatMayBeSentAndNoOthers) {
  for (unsigned code = 0; code <= 0xffff; ++code) {
    // RFC 6455 section 7.4 and the IANA registry
    const bool allowed = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                         (code >= 3000 && code <= 4999);
    const auto payload = bytes({static_cast<int>(code >> 8), static_cast<int>(code & 0xff), 'o'});
    ClosePayload close;
    ASSERT_EQ(parse(payload, close), allowed ? CloseCode::None : CloseCode::ProtocolError) << code;
    ASSERT_EQ(static_cast<unsigned>(close.code), allowed ? code : 0) << code;
    ASSERT_EQ(close.reason, allowed ? "o" : "") << code;
  }
}

TEST(ParseClose, GivesTheReason) {
  auto payload = bytes({0x03, 0xe8});
  test::append(payload, as_bytes("ciao \xe2\x82\xac"));
  ClosePayload close;
  EXPECT_EQ(parse(payload, close), CloseCode::None);
  EXPECT_EQ(close.code, CloseCode::Normal);
  EXPECT_EQ(close.reason, "ciao \xe2\x82\xac");
}

TEST(ParseClose, RefusesAReasonThatIsNotUtf8) {
  for (const std::string_view reason : {"\xff", "ok\xe2\x82", "\xed\xa0\x80", "\xc0\x80"}) {
    auto payload = bytes({0x03, 0xe8});
    test::append(payload, as_bytes(reason));
    ClosePayload close;
    EXPECT_EQ(parse(payload, close), CloseCode::InvalidPayload) << reason;
    EXPECT_EQ(close.code, CloseCode::None) << "nothing of it counts";
  }
}

}  // namespace
}  // namespace wsproxy::ws
