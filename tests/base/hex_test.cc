#include "base/hex.h"

#include <gtest/gtest.h>

namespace wsproxy {
namespace {

TEST(Hex, WritesTwoDigitsInLowerCase) {
  std::string out = "sha256 ";
  for (const unsigned char byte : {0x00, 0x09, 0x0a, 0x5f, 0xff}) append_hex(out, byte);
  EXPECT_EQ(out, "sha256 00090a5fff");
}

TEST(Hex, EscapesBytesOfEitherSign) {
  std::string out;
  for (const char c : {'\0', '\x1b', '\x7f', '\x80', '\xff'}) append_hex_escape(out, c);
  EXPECT_EQ(out, R"(\x00\x1b\x7f\x80\xff)");
}

TEST(Hex, ReadsWhatItWritesAndUpperCase) {
  for (int byte = 0; byte < 256; ++byte) {
    std::string digits;
    append_hex(digits, static_cast<unsigned char>(byte));
    EXPECT_EQ(hex_value(digits[0]) * 16 + hex_value(digits[1]), byte);
  }
  EXPECT_EQ(hex_value('A'), 10);
  EXPECT_EQ(hex_value('F'), 15);
}

TEST(Hex, KnowsNoOtherDigits) {
  for (const char c : {'/', ':', '@', 'G', '`', 'g', ' ', '-', '\0', '\xb0'}) {
    EXPECT_EQ(hex_value(c), -1) << static_cast<int>(c);
  }
}

}  // namespace
}  // namespace wsproxy
