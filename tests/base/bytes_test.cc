#include "base/bytes.h"

#include <gtest/gtest.h>

#include "support/builders.h"

namespace wsproxy {
namespace {

using test::bytes;

TEST(BigEndian, LoadsEverySizeUpToEight) {
  const auto in = bytes({0x81, 2, 3, 4, 5, 6, 7, 0xfe});
  EXPECT_EQ(load_big_endian({}), 0U);
  EXPECT_EQ(load_big_endian(Bytes(in).first(1)), 0x81U);
  EXPECT_EQ(load_big_endian(Bytes(in).first(2)), 0x8102U);
  EXPECT_EQ(load_big_endian(in), 0x81020304050607feU);
}

TEST(BigEndian, StoresTheLowBytes) {
  auto out = bytes({9, 9, 9});
  store_big_endian(0x8102030405060708U, MutableBytes(out).first(2));
  EXPECT_EQ(out, bytes({7, 8, 9}));
  store_big_endian(0x0a, out);
  EXPECT_EQ(out, bytes({0, 0, 10}));
}

}  // namespace
}  // namespace wsproxy
