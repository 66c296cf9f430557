#include "tls/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <utility>

#include "support/certificate.h"

namespace wsproxy::tls {
namespace {

using test::TempFile;
using testing::HasSubstr;

std::string read(const std::string& text) {
  const TempFile file(text);
  const auto result = read_password_file(file.path());
  if (result) return "'" + std::string(result->password.view()) + "'";
  EXPECT_TRUE(result.error().text.starts_with("password file " + file.path()));
  return result.error().text.substr(14 + file.path().size());
}

TEST(Secret, MovesAndCopies) {
  Secret first("a password that is no short string");
  Secret second = first;
  EXPECT_EQ(second.view(), first.view());
  const char* bytes = second.view().data();
  const Secret third = std::move(second);
  EXPECT_EQ(third.view().data(), bytes) << "moved, not copied";
  first = Secret("b");
  EXPECT_EQ(first.view(), "b");
  EXPECT_EQ(third.view(), "a password that is no short string");
  EXPECT_TRUE(Secret().empty());
}

TEST(PasswordFile, IsItsFirstLineWithoutTheLineEnd) {
  EXPECT_EQ(read("secret"), "'secret'");
  EXPECT_EQ(read("secret\n"), "'secret'");
  EXPECT_EQ(read("secret\r\n"), "'secret'");
  EXPECT_EQ(read(" a b \nsecond line\n"), "' a b '");
  EXPECT_EQ(read(std::string(1024, 'x') + "\n"), "'" + std::string(1024, 'x') + "'");
}

TEST(PasswordFile, WithoutAPasswordIsAnError) {
  EXPECT_EQ(read(""), " has no password in its first line");
  EXPECT_EQ(read("\nsecret\n"), " has no password in its first line");
  EXPECT_THAT(read(std::string(1025, 'x')), HasSubstr("longer than a password may be"));
  EXPECT_THAT(read(std::string(100000, 'x')), HasSubstr("longer than a password may be"));
}

TEST(PasswordFile, HasToBeARegularFile) {
  EXPECT_EQ(read_password_file("/nonexistent/password").error().message(),
            "password file /nonexistent/password: no such file or directory");
  EXPECT_EQ(read_password_file("/").error().message(), "password file / is not a regular file");
  const std::string pipe = testing::TempDir() + "wsproxy-password-pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto result = read_password_file(pipe);  // without a writer: it must not wait for one
  ::unlink(pipe.c_str());
  EXPECT_EQ(result.error().message(), "password file " + pipe + " is not a regular file");
}

TEST(PasswordFile, WarnsWhenOthersCanGetAtIt) {
  const TempFile file("secret\n");
  EXPECT_EQ(read_password_file(file.path())->warning, "");
  for (const mode_t mode : {0640, 0604, 0620}) {
    ::chmod(file.path().c_str(), mode);
    EXPECT_THAT(read_password_file(file.path())->warning, HasSubstr(file.path())) << mode;
  }
}

}  // namespace
}  // namespace wsproxy::tls
