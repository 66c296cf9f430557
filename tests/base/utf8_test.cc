#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace wsproxy {
namespace {

// The encoding by the book, for any number below 2^21; `size` may be more than is needed.
std::string spell(unsigned code, int size) {
  if (size == 1) return std::string(1, static_cast<char>(code));
  std::string out;
  for (int i = 0; i < size - 1; ++i) {
    out.insert(out.begin(), static_cast<char>(0x80U | (code & 0x3fU)));
    code >>= 6;
  }
  const unsigned lead = size == 2 ? 0xc0U : size == 3 ? 0xe0U : 0xf0U;
  out.insert(out.begin(), static_cast<char>(lead | code));
  return out;
}

int shortest(unsigned code) { return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; }

TEST(Utf8, TakesEveryScalarValueInItsShortestFormAndNoOther) {
  for (unsigned code = 0; code < 0x200000; ++code) {
    const bool scalar = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    const int size = shortest(code);
    ASSERT_EQ(is_utf8(spell(code, size)), scalar) << std::hex << code;
    for (int longer = size + 1; longer <= 4; ++longer) {
      ASSERT_FALSE(is_utf8(spell(code, longer))) << std::hex << code << " in " << longer;
    }
  }
}

TEST(Utf8, TakesTheEmptyText) { EXPECT_TRUE(is_utf8("")); }

TEST(Utf8, TakesMixedText) {
  EXPECT_TRUE(is_utf8("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"));  // Kuhn 1
  EXPECT_TRUE(is_utf8("a\xc2\xa2\xe2\x82\xac\xf0\x90\x8d\x88z"));
  EXPECT_TRUE(is_utf8(std::string_view("a\0b", 3)));
  EXPECT_TRUE(is_utf8("\xef\xbf\xbe\xef\xbf\xbf")) << "noncharacters are characters (Kuhn 5.3)";
}

TEST(Utf8, RefusesStrayAndMissingContinuationBytes) {
  for (int c = 0x80; c <= 0xbf; ++c) EXPECT_FALSE(is_utf8(std::string(1, static_cast<char>(c))));
  for (int c = 0xc0; c <= 0xff; ++c) {
    const std::string lead(1, static_cast<char>(c));
    EXPECT_FALSE(is_utf8(lead)) << c;
    EXPECT_FALSE(is_utf8(lead + " ")) << c;
    EXPECT_FALSE(is_utf8(lead + "a\x80\x80\x80")) << c;
  }
}

TEST(Utf8, RefusesEveryTruncation) {
  for (const unsigned code : {0x80U, 0x7ffU, 0x800U, 0xffffU, 0x10000U, 0x10ffffU}) {
    const std::string whole = spell(code, shortest(code));
    for (std::size_t cut = 1; cut < whole.size(); ++cut) {
      EXPECT_FALSE(is_utf8(whole.substr(0, cut))) << std::hex << code << " cut at " << cut;
      EXPECT_FALSE(is_utf8("ok" + whole.substr(0, cut) + "ok")) << std::hex << code;
    }
  }
}

TEST(Utf8, RefusesFiveAndSixByteForms) {
  EXPECT_FALSE(is_utf8("\xf8\x88\x80\x80\x80"));
  EXPECT_FALSE(is_utf8("\xfc\x84\x80\x80\x80\x80"));
  EXPECT_FALSE(is_utf8("\xfe"));
  EXPECT_FALSE(is_utf8("\xff"));
}

TEST(Utf8, RefusesSurrogatePairs) {
  EXPECT_FALSE(is_utf8("\xed\xa0\x80\xed\xb0\x80"));
  EXPECT_FALSE(is_utf8("\xed\xaf\xbf\xed\xbf\xbf"));
}

TEST(Utf8, DoesNotReadBehindTheEnd) {
  const std::string_view text("\xe2\x82\xac", 3);
  EXPECT_FALSE(is_utf8(text.substr(0, 2)));
  EXPECT_TRUE(is_utf8(text));
}

TEST(Utf8Prefix, KeepsWholeTextThatFits) {
  EXPECT_EQ(utf8_prefix("", 0), "");
  EXPECT_EQ(utf8_prefix("abc", 3), "abc");
  EXPECT_EQ(utf8_prefix("\xe2\x82\xac", 3), "\xe2\x82\xac");
}

TEST(Utf8Prefix, CutsBetweenCharactersAtEveryLength) {
  const std::string text = "a\xc2\xa2\xe2\x82\xac\xf0\x90\x8d\x88z";  // ends: 1 3 6 10 11
  const std::size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
  for (std::size_t max = 0; max <= 12; ++max) {
    EXPECT_EQ(utf8_prefix(text, max), text.substr(0, ends[max])) << max;
  }
}

}  // namespace
}  // namespace wsproxy
