#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace wsproxy {
namespace {

TEST(Error, MessageIsTheTextWhenThereIsNoErrno) {
  const Error error{Errc::Invalid, 0, "expected HOST:PORT"};
  EXPECT_EQ(error.message(), "expected HOST:PORT");
}

TEST(Error, MessageEndsWithWhatErrnoMeans) {
  const Error error{Errc::Io, ENOENT, "open tokens.cfg"};
  EXPECT_EQ(error.message(), "open tokens.cfg: no such file or directory");
}

TEST(Error, ContextGoesInFrontAndTheRestStays) {
  const Error error = Error{Errc::Io, EACCES, "open tokens.cfg"}.in("token file").in("reload");
  EXPECT_EQ(error.code, Errc::Io);
  EXPECT_EQ(error.sys, EACCES);
  EXPECT_EQ(error.text, "reload: token file: open tokens.cfg");
  EXPECT_EQ(error.message(), "reload: token file: open tokens.cfg: permission denied");
}

TEST(Error, FailMakesAResultWithoutValue) {
  const Result<int> result = fail(Errc::Refused, "no", ECONNREFUSED);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::Refused);
  EXPECT_EQ(result.error().sys, ECONNREFUSED);
  EXPECT_EQ(result.error().text, "no");
}

TEST(DescribeErrno, BeginsInLowerCase) {
  EXPECT_EQ(describe_errno(ECONNREFUSED), "connection refused");
  EXPECT_EQ(describe_errno(EPIPE), "broken pipe");
}

TEST(DescribeErrno, KeepsTheCapitalsOfAnAbbreviation) {
  EXPECT_EQ(describe_errno(EDOTDOT), "RFS specific error");
}

TEST(DescribeErrno, NamesAnUnknownNumber) { EXPECT_EQ(describe_errno(9999), "error 9999"); }

}  // namespace
}  // namespace wsproxy
