#include "server/file_reader.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <memory>
#include <string>

#include "daemon/landlock.h"
#include "support/child.h"
#include "support/temp_dir.h"

namespace wsproxy::server {
namespace {

class FileReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    test::write_text(file_, "certificate");
    config_.cert = {file_};
    config_.cafile = folder_ / "none";
  }

  // A daemon that can read nothing of ours any more, and the process that reads for it.
  std::string confined(const std::function<std::string(const FileReader&)>& body,
                       const config::Config& in_file) {
    return test::in_child([&] {
      const auto spawner = std::make_shared<io::Spawner>();
      const FileReader reader([&in_file]() -> Result<config::Config> { return in_file; }, spawner);
      daemon::FileRules rules;
      rules.may_read("/proc");
      if (!spawner->start({}) || !rules.enforce()) return std::string("not set up");
      return body(reader);
    });
  }

  const test::TempDir folder_;
  const std::string file_ = folder_ / "cert.pem";
  config::Config config_;
};

TEST_F(FileReaderTest, LeavesPathsThatCanBeOpened) {
  const FileReader reader([]() -> Result<config::Config> { return fail(Errc::Io, "not asked"); },
                          std::make_shared<io::Spawner>());
  const auto readable = reader.readable(config_);
  ASSERT_TRUE(readable);
  EXPECT_EQ(readable->config, config_);
  EXPECT_TRUE(readable->copies.empty());
}

TEST_F(FileReaderTest, GivesCopiesOfFilesOutOfReach) {
  if (daemon::landlock_abi() == 0) GTEST_SKIP() << "the kernel has no Landlock";
  ::chmod(file_.c_str(), 0640);
  EXPECT_EQ(confined(
                [&](const FileReader& reader) {
                  const auto readable = reader.readable(config_);
                  if (!readable) return readable.error().message();
                  const std::string& copy = readable->config.cert[0];
                  struct stat info{};
                  ::stat(copy.c_str(), &info);
                  const bool as_it_was = (info.st_mode & 0777) == 0640;
                  const Error error{Errc::Tls, 0, "certificate " + copy + " is bad"};
                  return test::read_all(copy) + (as_it_was ? ", " : ", permissions changed, ") +
                         readable->in_their_words(error).text;
                },
                config_),
            "certificate, certificate " + file_ + " is bad");
}

TEST_F(FileReaderTest, ReadsNothingThatTheConfigurationDoesNotName) {
  if (daemon::landlock_abi() == 0) GTEST_SKIP() << "the kernel has no Landlock";
  config::Config asked = config_;
  asked.cert = {"/etc/passwd"};
  EXPECT_EQ(confined(
                [&](const FileReader& reader) {
                  const auto readable = reader.readable(asked);
                  return readable ? "read" : readable.error().message();
                },
                config_),
            "--cert /etc/passwd: the sandbox of this process has no access to files there; a "
            "restart gives it");
}

TEST_F(FileReaderTest, IsNoWayOutOfAChroot) {
  if (daemon::landlock_abi() == 0) GTEST_SKIP() << "the kernel has no Landlock";
  config::Config in_chroot = config_;
  in_chroot.chroot = "/srv";
  EXPECT_NE(confined(
                [&](const FileReader& reader) {
                  const auto readable = reader.readable(config_);
                  return readable ? "read" : readable.error().message();
                },
                in_chroot)
                .find("a restart gives it"),
            std::string::npos);
}

}  // namespace
}  // namespace wsproxy::server
