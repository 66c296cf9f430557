#include "base/base64.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>
#include <string>
#include <utility>

#include "support/builders.h"

namespace wsproxy {
namespace {

using test::pattern;
using test::text_of;

// RFC 4648 section 10
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kVectors = {{
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
}};

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string openssl_base64(Bytes in) {
  std::string out(base64_size(in.size()) + 1, '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(in.data()),
                                static_cast<int>(in.size()));
  out.resize(static_cast<std::size_t>(n));
  return out;
}

// Feeds `text` in the two pieces that `cut` makes; nothing if any step refuses.
std::optional<std::string> decode_in_two(std::string_view text, std::size_t cut) {
  Base64Decoder decoder;
  std::vector<std::byte> out(text.size());
  const Bytes in = as_bytes(text);
  const auto first = decoder.decode(in.first(cut), out);
  if (!first) return std::nullopt;
  const auto second = decoder.decode(in.subspan(cut), MutableBytes(out).subspan(*first));
  if (!second || !decoder.finish()) return std::nullopt;
  return text_of(Bytes(out).first(*first + *second));
}

TEST(Base64, EncodesAndDecodesTheVectorsOfTheRfc) {
  for (const auto& [plain, coded] : kVectors) {
    EXPECT_EQ(base64_encode(as_bytes(plain)), coded);
    EXPECT_EQ(base64_decode(coded), plain);
  }
}

TEST(Base64, EncodesLikeOpensslAndBackAtEveryLength) {
  for (std::size_t size = 0; size <= 200; ++size) {
    const auto plain = pattern(size, static_cast<std::uint32_t>(size));
    const std::string coded = base64_encode(plain);
    ASSERT_EQ(coded.size(), base64_size(size));
    ASSERT_EQ(coded, openssl_base64(plain)) << size;
    ASSERT_EQ(base64_decode(coded), text_of(plain)) << size;
  }
}

TEST(Base64, EncodesIntoTheFrontOfALargerBuffer) {
  auto out = test::bytes_of("..........");
  base64_encode(as_bytes("foob"), out);
  EXPECT_EQ(text_of(out), "Zm9vYg==..");
}

TEST(Base64, KnowsAllSixtyFourCharactersAndNoOthers) {
  for (int c = 0; c < 256; ++c) {
    // the first character of a group carries bits of one byte only, whatever its value
    const std::string text = {static_cast<char>(c), 'A', 'A', 'A'};
    const bool known = c != 0 && kAlphabet.find(static_cast<char>(c)) != std::string_view::npos;
    EXPECT_EQ(base64_decode(text).has_value(), known) << c;
  }
}

TEST(Base64, RefusesEveryNonCanonicalSpelling) {
  for (const std::string_view text :
       {// length
        "A", "AA", "AAA", "AAAAA", "AAAAAA", "AAAAAAA",
        // padding that is short, alone, too much, in the wrong place, or followed
        "=", "==", "===", "====", "A===", "AA=", "AA=A", "=AAA", "A=AA", "AA==A", "AA==AAAA",
        "AA==AA==", "AAA=AAAA",
        "AAA=AAA=", "AA===", "AAA==", "AAAA=", "AAAA==", "AAAA====", "AA==\n",
        // white space and the other alphabet
        " AAAA", "AA AA", "AAAA\n", "AA\r\nAA", "AA-_", "AAA\x80"}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
  EXPECT_FALSE(base64_decode(std::string_view("AAA\0", 4)));
}

TEST(Base64, RefusesBitsThatNoByteUses) {
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    const std::string one = std::string("A") + kAlphabet[i] + "==";
    const std::string two = std::string("AA") + kAlphabet[i] + "=";
    EXPECT_EQ(base64_decode(one).has_value(), i % 16 == 0) << one;
    EXPECT_EQ(base64_decode(two).has_value(), i % 4 == 0) << two;
  }
}

TEST(Base64, UnusedBitsOfAGroupBeforeDoNotCount) {
  // the bits that are checked at the padding are those of its own group
  EXPECT_EQ(base64_decode("////AA=="), std::string("\xff\xff\xff\0", 4));
  EXPECT_EQ(base64_decode("////AAA="), std::string("\xff\xff\xff\0\0", 5));
}

TEST(Base64Decoder, GivesTheSameInEverySplit) {
  for (std::size_t size = 0; size <= 12; ++size) {
    const auto plain = pattern(size, 77);
    const std::string coded = base64_encode(plain);
    for (std::size_t cut = 0; cut <= coded.size(); ++cut) {
      ASSERT_EQ(decode_in_two(coded, cut), text_of(plain)) << coded << " cut at " << cut;
    }
  }
}

TEST(Base64Decoder, RefusesTheSameInEverySplit) {
  for (const std::string_view text :
       {"AB==", "AAB=", "AA=A", "A===", "AA==AAAA", "AAAA=", "AAA=A", "AA==="}) {
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      EXPECT_FALSE(decode_in_two(text, cut)) << text << " cut at " << cut;
    }
  }
}

TEST(Base64Decoder, DecodesByteByByteInPlace) {
  const auto plain = pattern(100);
  std::string text = base64_encode(plain);
  Base64Decoder decoder;
  std::string decoded;
  for (char& c : text) {
    const MutableBytes one(reinterpret_cast<std::byte*>(&c), 1);
    const auto n = decoder.decode(one, one);
    ASSERT_TRUE(n);
    decoded += std::string(&c, *n);
  }
  EXPECT_TRUE(decoder.finish());
  EXPECT_EQ(decoded, text_of(plain));
}

TEST(Base64Decoder, DecodesAWholeBufferInPlace) {
  const auto plain = pattern(301);
  std::string text = base64_encode(plain);
  const MutableBytes room(reinterpret_cast<std::byte*>(text.data()), text.size());
  Base64Decoder decoder;
  const auto n = decoder.decode(room, room);
  ASSERT_EQ(n, plain.size());
  EXPECT_EQ(text.substr(0, *n), text_of(plain));
}

TEST(Base64Decoder, FinishIsFalseInsideAGroup) {
  for (const std::string_view text : {"A", "AA", "AAA", "AA=", "AAAAA"}) {
    Base64Decoder decoder;
    std::array<std::byte, 8> out{};
    ASSERT_TRUE(decoder.decode(as_bytes(text), out)) << text;
    EXPECT_FALSE(decoder.finish()) << text;
  }
}

TEST(Base64Decoder, FinishMakesItReadyForTheNextMessage) {
  Base64Decoder decoder;
  std::array<std::byte, 8> out{};
  ASSERT_TRUE(decoder.decode(as_bytes("Zg=="), out));
  EXPECT_TRUE(decoder.finish());
  ASSERT_TRUE(decoder.decode(as_bytes("/"), out));
  EXPECT_FALSE(decoder.finish()) << "stopped inside a group";
  const auto n = decoder.decode(as_bytes("Zm8="), out);
  ASSERT_EQ(n, 2U);
  EXPECT_EQ(text_of(Bytes(out).first(2)), "fo");
  EXPECT_TRUE(decoder.finish());
  EXPECT_TRUE(decoder.finish()) << "an empty message is canonical";
}

TEST(Base64Decoder, NothingFollowsPaddingWithinAMessage) {
  Base64Decoder decoder;
  std::array<std::byte, 8> out{};
  ASSERT_TRUE(decoder.decode(as_bytes("Zg=="), out));
  EXPECT_FALSE(decoder.decode(as_bytes("Zm9v"), out));
}

}  // namespace
}  // namespace wsproxy
