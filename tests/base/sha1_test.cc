#include "base/sha1.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <string>

#include "support/builders.h"

namespace wsproxy {
namespace {

std::string hex(Bytes in) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const std::byte b : in) {
    out += kDigits[std::to_integer<unsigned>(b) >> 4];
    out += kDigits[std::to_integer<unsigned>(b) & 15];
  }
  return out;
}

std::string openssl_sha1(Bytes in) {
  std::array<std::byte, SHA_DIGEST_LENGTH> digest{};
  ::SHA1(reinterpret_cast<const unsigned char*>(in.data()), in.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return hex(digest);
}

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Sha1, DigestsTheVectorsOfTheRfc) {
  // RFC 3174 section 7.3
  EXPECT_EQ(hex(sha1(as_bytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex(sha1(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(hex(sha1(as_bytes(repeated("a", 1'000'000)))),
            "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  EXPECT_EQ(hex(sha1(as_bytes(
                repeated("0123456701234567012345670123456701234567012345670123456701234567", 10)))),
            "dea356a2cddd90c7a7ecedc5ebb563934f460452");
}

TEST(Sha1, DigestsTheEmptyMessage) {
  EXPECT_EQ(hex(sha1({})), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

TEST(Sha1, AgreesWithOpensslAtEveryLengthAroundTheBlockBorders) {
  for (std::size_t size = 0; size <= 260; ++size) {
    const auto message = test::pattern(size, static_cast<std::uint32_t>(size));
    ASSERT_EQ(hex(sha1(message)), openssl_sha1(message)) << size;
  }
}

}  // namespace
}  // namespace wsproxy
