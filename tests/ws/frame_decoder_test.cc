#include "ws/frame_decoder.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/base64.h"
#include "support/builders.h"

namespace wsproxy::ws {
namespace {

using test::append;
using test::bytes;
using test::masked_frame;
using test::pattern;
using test::text_of;
using Event = FrameDecoder::Event;

const char* name(Event event) {
  switch (event) {
    case Event::None: return "none";
    case Event::Ping: return "ping";
    case Event::Pong: return "pong";
    case Event::Close: return "close";
    case Event::Bad: return "bad";
  }
  return "?";
}

// Everything that a decoder said of a stream: its payload, and its events in order with the number
// of payload bytes before each.
struct Outcome {
  std::string payload;
  std::vector<std::string> events;
  bool ended = false;  // by Close or Bad
  std::size_t consumed = 0;

  bool operator==(const Outcome&) const = default;
};

// Feeds one piece as the relay does: again with the rest after each event.
void feed(FrameDecoder& decoder, Bytes piece, Outcome& outcome) {
  while (!piece.empty() && !outcome.ended) {
    std::vector<std::byte> out(piece.size());
    const auto progress = decoder.decode(piece, out);
    ASSERT_LE(progress.consumed, piece.size());
    ASSERT_LE(progress.produced, progress.consumed);
    outcome.payload += text_of(Bytes(out).first(progress.produced));
    outcome.consumed += progress.consumed;
    piece = piece.subspan(progress.consumed);
    if (progress.event == Event::None) {
      ASSERT_TRUE(piece.empty()) << "None means that all was decoded";
      continue;
    }
    std::string event = std::to_string(outcome.payload.size()) + " " + name(progress.event);
    if (progress.event == Event::Bad) {
      event += " " + std::to_string(static_cast<int>(decoder.close_code())) + " " + decoder.error();
    } else {
      event += " " + text_of(decoder.control());
    }
    outcome.events.push_back(event);
    outcome.ended = progress.event == Event::Bad || progress.event == Event::Close;
  }
}

Outcome decode_whole(Bytes stream, Payload payload = Payload::Binary) {
  FrameDecoder decoder(payload);
  Outcome outcome;
  feed(decoder, stream, outcome);
  return outcome;
}

Outcome decode_pieces(Bytes stream, const std::vector<std::size_t>& cuts, Payload payload) {
  FrameDecoder decoder(payload);
  Outcome outcome;
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    feed(decoder, stream.subspan(from, cut - from), outcome);
    from = cut;
  }
  feed(decoder, stream.subspan(from), outcome);
  return outcome;
}

// One cut everywhere, and byte by byte: all have to give what the whole stream gives.
void expect_same_at_every_split(Bytes stream, Payload payload = Payload::Binary) {
  const Outcome whole = decode_whole(stream, payload);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    const Outcome split = decode_pieces(stream, {cut}, payload);
    ASSERT_EQ(split.events, whole.events) << "cut at " << cut;
    ASSERT_TRUE(split.payload == whole.payload) << "cut at " << cut;
  }
  std::vector<std::size_t> everywhere(stream.size());
  for (std::size_t i = 0; i < everywhere.size(); ++i) everywhere[i] = i;
  const Outcome bytewise = decode_pieces(stream, everywhere, payload);
  ASSERT_EQ(bytewise.events, whole.events);
  ASSERT_TRUE(bytewise.payload == whole.payload);
}

std::vector<std::byte> join(std::initializer_list<std::vector<std::byte>> frames) {
  std::vector<std::byte> out;
  for (const auto& frame : frames) append(out, frame);
  return out;
}

std::vector<std::string> events(std::initializer_list<std::string> list) { return list; }

std::vector<std::byte> binary(std::string_view payload, bool fin = true) {
  return masked_frame(Opcode::Binary, fin, payload);
}
std::vector<std::byte> text(std::string_view payload, bool fin = true) {
  return masked_frame(Opcode::Text, fin, payload);
}
std::vector<std::byte> more(std::string_view payload, bool fin) {
  return masked_frame(Opcode::Continuation, fin, payload);
}

TEST(FrameDecoder, UnmasksTheExampleOfTheRfc) {
  // RFC 6455 section 5.7, with the opcode of a binary frame
  const auto in = bytes({0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58});
  const Outcome outcome = decode_whole(in);
  EXPECT_EQ(outcome.payload, "Hello");
  EXPECT_TRUE(outcome.events.empty());
}

TEST(FrameDecoder, DecodesShortFramesAtEverySplit) {
  for (const std::size_t size : {0, 1, 2, 7, 8, 9, 125, 126, 127, 300}) {
    const auto payload = pattern(size);
    const auto stream = masked_frame(Opcode::Binary, true, payload);
    ASSERT_TRUE(decode_whole(stream).payload == text_of(payload)) << size;
    expect_same_at_every_split(stream);
  }
}

TEST(FrameDecoder, DecodesLongFramesAtManySplits) {
  for (const std::size_t size : {65535, 65536, 70000}) {
    const auto payload = pattern(size);
    const auto stream = masked_frame(Opcode::Binary, true, payload);
    const Outcome whole = decode_whole(stream);
    ASSERT_TRUE(whole.payload == text_of(payload)) << size;
    std::vector<std::size_t> cuts;
    cuts.reserve(100);
    for (std::size_t i = 0; i < 30; ++i) cuts.push_back(i);
    for (std::size_t i = 0; i < 30; ++i) cuts.push_back(stream.size() - i);
    for (std::size_t at = 997; at < stream.size(); at += 4999) cuts.push_back(at);
    for (const std::size_t cut : cuts) {
      ASSERT_TRUE(decode_pieces(stream, {cut}, Payload::Binary) == whole) << size << " " << cut;
    }
  }
}

TEST(FrameDecoder, DecodesALongFrameByteByByte) {
  const auto payload = pattern(65536);
  const auto stream = masked_frame(Opcode::Binary, true, payload);
  FrameDecoder decoder(Payload::Binary);
  std::string decoded;
  std::byte out{};
  for (const std::byte& b : stream) {
    const auto progress = decoder.decode({&b, 1}, {&out, 1});
    ASSERT_EQ(progress.consumed, 1U);
    ASSERT_EQ(progress.event, Event::None);
    if (progress.produced == 1) decoded += static_cast<char>(out);
  }
  EXPECT_TRUE(decoded == text_of(payload));
}

TEST(FrameDecoder, DecodesManyFramesInOnePiece) {
  const auto stream = join({binary("one"), binary(""), binary("two"), binary("three")});
  EXPECT_EQ(decode_whole(stream).payload, "onetwothree");
  expect_same_at_every_split(stream);
}

TEST(FrameDecoder, UsesTheMaskOfEachFrame) {
  const test::Mask none{};
  const test::Mask other = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  const auto stream = join({masked_frame(Opcode::Binary, true, "abcde", none),
                            masked_frame(Opcode::Binary, true, "fghij", other)});
  EXPECT_EQ(decode_whole(stream).payload, "abcdefghij");
}

TEST(FrameDecoder, NothingInNothingOut) {
  FrameDecoder decoder(Payload::Binary);
  const auto progress = decoder.decode({}, {});
  EXPECT_EQ(progress.consumed, 0U);
  EXPECT_EQ(progress.produced, 0U);
  EXPECT_EQ(progress.event, Event::None);
}

TEST(FrameDecoder, WritesOnlyWhatItReports) {
  FrameDecoder decoder(Payload::Binary);
  const auto stream = join({binary("abc"), masked_frame(Opcode::Ping, true, "ping")});
  std::vector<std::byte> out(stream.size() + 8, std::byte{0xee});
  const auto progress = decoder.decode(stream, out);
  EXPECT_EQ(progress.produced, 3U);
  for (std::size_t i = 3; i < out.size(); ++i) EXPECT_EQ(out[i], std::byte{0xee}) << i;
}

// --- control frames ---

TEST(FrameDecoder, ReportsControlFramesWithTheirPayload) {
  const auto stream =
      join({masked_frame(Opcode::Ping, true, ""), masked_frame(Opcode::Ping, true, "p"),
            masked_frame(Opcode::Pong, true, std::string(125, 'q')),
            masked_frame(Opcode::Close, true,
                         "\x03\xe8"
                         "bye")});
  const Outcome outcome = decode_whole(stream);
  EXPECT_EQ(outcome.events, events({"0 ping ", "0 ping p", "0 pong " + std::string(125, 'q'),
                                    "0 close \x03\xe8"
                                    "bye"}));
  EXPECT_EQ(outcome.payload, "");
}

TEST(FrameDecoder, AControlFrameMayComeInPieces) {
  for (const std::size_t size : {0, 1, 9, 125}) {
    const auto payload = pattern(size);
    expect_same_at_every_split(join({masked_frame(Opcode::Ping, true, payload), binary("x")}));
  }
}

TEST(FrameDecoder, KeepsEventsAndPayloadInOrderAtEverySplit) {
  const auto stream = join({binary("ab"), masked_frame(Opcode::Ping, true, "1"), binary("cd"),
                            masked_frame(Opcode::Pong, true, ""), binary(""), binary("e"),
                            masked_frame(Opcode::Close, true,
                                         "\x03\xe9"
                                         "gone")});
  const Outcome whole = decode_whole(stream);
  EXPECT_EQ(whole.payload, "abcde");
  EXPECT_EQ(whole.events, events({"2 ping 1", "4 pong ",
                                  "5 close \x03\xe9"
                                  "gone"}));
  expect_same_at_every_split(stream);
}

TEST(FrameDecoder, ControlIsValidUntilTheNextCall) {
  FrameDecoder decoder(Payload::Binary);
  const auto stream = join({masked_frame(Opcode::Ping, true, "abc"), binary("x")});
  std::vector<std::byte> out(stream.size());
  const auto progress = decoder.decode(stream, out);
  EXPECT_EQ(progress.event, Event::Ping);
  EXPECT_EQ(text_of(decoder.control()), "abc");
  decoder.decode(Bytes(stream).subspan(progress.consumed), out);
  EXPECT_TRUE(decoder.control().empty());
}

TEST(FrameDecoder, ConsumesNothingBehindAClose) {
  const auto close = masked_frame(Opcode::Close, true, "\x03\xe8");
  const Outcome outcome = decode_whole(join({close, binary("late")}));
  EXPECT_TRUE(outcome.ended);
  EXPECT_EQ(outcome.consumed, close.size());
  EXPECT_EQ(outcome.payload, "");
}

// --- fragments ---

TEST(FrameDecoder, JoinsAFragmentedMessageAtEverySplit) {
  const auto stream =
      join({binary("He", false), more("", false), more("ll", false), more("o", true), binary("!")});
  EXPECT_EQ(decode_whole(stream).payload, "Hello!");
  expect_same_at_every_split(stream);
}

TEST(FrameDecoder, TakesControlFramesBetweenFragments) {
  const auto stream =
      join({binary("He", false), masked_frame(Opcode::Ping, true, "a"), more("llo", false),
            masked_frame(Opcode::Pong, true, "b"), more("", true), binary("!")});
  const Outcome outcome = decode_whole(stream);
  EXPECT_EQ(outcome.payload, "Hello!");
  EXPECT_EQ(outcome.events, events({"2 ping a", "5 pong b"}));
  expect_same_at_every_split(stream);
}

TEST(FrameDecoder, TakesACloseBetweenFragments) {
  const Outcome outcome =
      decode_whole(join({binary("He", false), masked_frame(Opcode::Close, true, "")}));
  EXPECT_EQ(outcome.payload, "He");
  EXPECT_EQ(outcome.events, events({"2 close "}));
}

TEST(FrameDecoder, RefusesAContinuationOfNothing) {
  for (const bool fin : {true, false}) {
    EXPECT_EQ(decode_whole(more("x", fin)).events,
              events({"0 bad 1002 continuation without a message"}));
    const auto stream = join({binary("ab", false), more("c", true), more("x", fin)});
    EXPECT_EQ(decode_whole(stream).events, events({"3 bad 1002 continuation without a message"}));
    expect_same_at_every_split(stream);
  }
}

TEST(FrameDecoder, RefusesANewMessageInsideAnother) {
  for (const Opcode opcode : {Opcode::Binary, Opcode::Text}) {
    const auto stream = join({binary("ab", false), masked_frame(opcode, true, "c")});
    EXPECT_EQ(decode_whole(stream).events,
              events({"2 bad 1002 new message inside a fragmented one"}));
    expect_same_at_every_split(stream);
  }
}

// --- violations ---

TEST(FrameDecoder, ReportsABrokenHeaderBehindGoodPayload) {
  const std::pair<std::vector<std::byte>, std::string> cases[] = {
      {bytes({0xc2, 0x80, 0, 0, 0, 0}), "reserved bit set"},
      {bytes({0x83, 0x80, 0, 0, 0, 0}), "reserved opcode"},
      {bytes({0x09, 0x80, 0, 0, 0, 0}), "control frame split"},
      {bytes({0x89, 0xfe, 0, 126, 0, 0}), "control frame over 125 bytes"},
      {bytes({0x82, 0x01, 'x'}), "frame not masked"},
      {bytes({0x82, 0xfe, 0, 125, 0, 0, 0, 0}), "length not minimal"},
      {bytes({0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0}), "length has its top bit set"},
  };
  for (const auto& [broken, why] : cases) {
    const auto stream = join({binary("ok"), broken});
    const Outcome outcome = decode_whole(stream);
    EXPECT_EQ(outcome.payload, "ok");
    EXPECT_EQ(outcome.events, events({"2 bad 1002 " + why}));
    expect_same_at_every_split(stream);
  }
}

TEST(FrameDecoder, RefusesTextWhereBinaryWasAgreed) {
  const auto stream = join({binary("ok"), text("x")});
  EXPECT_EQ(decode_whole(stream).events, events({"2 bad 1003 text frame where binary was agreed"}));
  expect_same_at_every_split(stream);
}

TEST(FrameDecoder, RefusesBinaryWhereTextWasAgreed) {
  EXPECT_EQ(decode_whole(binary("x"), Payload::Base64).events,
            events({"0 bad 1003 binary frame where base64 text was agreed"}));
}

TEST(FrameDecoder, RefusesTheWrongOpcodeBeforeItsPayload) {
  const auto stream = text("x");
  FrameDecoder decoder(Payload::Binary);
  std::vector<std::byte> out(stream.size());
  EXPECT_EQ(decoder.decode(Bytes(stream).first(6), out).event, Event::Bad);
}

TEST(FrameDecoder, AHugeFrameIsDecodedAsItComes) {
  // 2^63-1 bytes announced: nothing is kept, nothing overflows
  auto stream = bytes({0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0});
  append(stream, as_bytes("the beginning"));
  const Outcome outcome = decode_whole(stream);
  EXPECT_EQ(outcome.payload, "the beginning");
  EXPECT_TRUE(outcome.events.empty());
}

// --- base64 ---

TEST(FrameDecoderBase64, DecodesTextFramesOfEveryLengthAtEverySplit) {
  for (std::size_t size = 0; size <= 20; ++size) {
    const auto payload = pattern(size);
    const auto stream = join({text(base64_encode(payload)), text(base64_encode(payload))});
    ASSERT_EQ(decode_whole(stream, Payload::Base64).payload, text_of(payload) + text_of(payload));
    expect_same_at_every_split(stream, Payload::Base64);
  }
}

TEST(FrameDecoderBase64, JoinsGroupsThatFragmentsSplit) {
  const std::string coded = "Zm9vYmE=";  // "fooba"
  for (std::size_t cut = 0; cut <= coded.size(); ++cut) {
    const auto stream =
        join({text(coded.substr(0, cut), false), masked_frame(Opcode::Ping, true, "p"),
              more(coded.substr(cut), true), text("Zg==")});
    const Outcome outcome = decode_whole(stream, Payload::Base64);
    ASSERT_EQ(outcome.payload, "foobaf") << cut;
    ASSERT_EQ(outcome.events.size(), 1U) << cut;
    expect_same_at_every_split(stream, Payload::Base64);
  }
}

TEST(FrameDecoderBase64, RefusesBadText) {
  for (const std::string_view coded :
       {"Zg=A", "Z===", "Zm9v\n", "Zh==", "Zg==Zg==", "\xff", "=", "Zm9v====", "Zm-_"}) {
    const auto stream = text(coded);
    const Outcome outcome = decode_whole(stream, Payload::Base64);
    ASSERT_EQ(outcome.events.size(), 1U) << coded;
    EXPECT_TRUE(outcome.events[0].ends_with("bad 1007 text that is not base64")) << coded;
    const Outcome bytewise = decode_pieces(stream, {1, 2, 3, 4, 5, 6, 7}, Payload::Base64);
    ASSERT_EQ(bytewise.events.size(), 1U) << coded;
    EXPECT_TRUE(bytewise.events[0].ends_with("bad 1007 text that is not base64")) << coded;
  }
}

TEST(FrameDecoderBase64, RefusesAMessageThatEndsInsideAGroup) {
  for (const std::string_view coded : {"Z", "Zg", "Zg=", "Zm9vY", "Zm9vYm", "Zm9vYmE"}) {
    const Outcome outcome = decode_whole(text(coded), Payload::Base64);
    ASSERT_EQ(outcome.events.size(), 1U) << coded;
    EXPECT_TRUE(outcome.events[0].ends_with("bad 1007 base64 text that ends inside a group"))
        << coded << ": " << outcome.events[0];
  }
}

TEST(FrameDecoderBase64, ControlFramesAreNotBase64) {
  const Outcome outcome =
      decode_whole(masked_frame(Opcode::Ping, true, "not base64!"), Payload::Base64);
  EXPECT_EQ(outcome.events, events({"0 ping not base64!"}));
}

// --- all of it at once ---

TEST(FrameDecoder, RandomStreamsDecodeTheSameInRandomPieces) {
  std::mt19937 random(6455);
  for (int round = 0; round < 300; ++round) {
    const Payload payload = round % 2 == 0 ? Payload::Binary : Payload::Base64;
    const Opcode data = payload == Payload::Binary ? Opcode::Binary : Opcode::Text;
    std::vector<std::byte> stream;
    std::string wanted;
    std::size_t controls = 0;
    for (int message = 0; message < 5; ++message) {
      const auto plain = pattern(random() % 400, static_cast<std::uint32_t>(random()));
      wanted += text_of(plain);
      std::string coded = payload == Payload::Binary ? text_of(plain) : base64_encode(plain);
      bool first = true;
      while (true) {
        const std::size_t n = random() % 3 == 0 ? coded.size() : random() % (coded.size() + 1);
        const bool last = n == coded.size();
        append(stream, masked_frame(first ? data : Opcode::Continuation, last,
                                    std::string_view(coded).substr(0, n)));
        coded.erase(0, n);
        first = false;
        if (random() % 4 == 0) {
          append(stream, masked_frame(Opcode::Pong, true, pattern(random() % 126)));
          ++controls;
        }
        if (last) break;
      }
    }
    const Outcome whole = decode_whole(stream, payload);
    ASSERT_TRUE(whole.payload == wanted) << round;
    ASSERT_EQ(whole.events.size(), controls) << round;
    std::vector<std::size_t> cuts;
    for (std::size_t at = random() % 64; at < stream.size(); at += random() % 64) {
      cuts.push_back(at);
    }
    ASSERT_TRUE(decode_pieces(stream, cuts, payload) == whole) << round;
  }
}

}  // namespace
}  // namespace wsproxy::ws
