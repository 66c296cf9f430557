#include "config/load.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "config/config_file.h"
#include "support/certificate.h"

namespace wsproxy::config {
namespace {

using test::TempFile;
using Words = std::vector<const char*>;
using List = std::vector<std::string>;

constexpr const char* kNone = "/nonexistent/wsproxy.conf";

TEST(Load, NeedsNoFile) {
  const auto config = load(Words{"6080", "t:1"}, false, kNone);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->target, "t:1");
  EXPECT_EQ(config->config, "");
  const auto none = load(Words{}, false, kNone);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::Usage);
  EXPECT_EQ(none.error().text, "expected [ADDR:]PORT and a target");
}

TEST(Load, ReadsTheDefaultFileWhenThereIsOne) {
  const TempFile file("listen = 1\ntarget = f:1\nweb = d\n");
  const auto config = load(Words{}, false, file.path());
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->listen, List{"1"});
  EXPECT_EQ(config->config, file.path());
  const auto other = load(Words{"2", "t:1"}, false, file.path());
  ASSERT_TRUE(other);
  EXPECT_EQ(other->listen, List{"2"});
  EXPECT_EQ(other->web, "d");
}

TEST(Load, ReadsTheFileItIsToldInsteadOfTheDefault) {
  const TempFile standard("web = standard\nssl-only = yes\n");
  const TempFile asked("target = f:1\n");
  const auto config = load(Words{"--config", asked.path().c_str()}, true, standard.path());
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->listen, List{"systemd"});
  EXPECT_EQ(config->web, "");
  EXPECT_FALSE(config->ssl_only);
  EXPECT_EQ(config->config, asked.path());
}

TEST(Load, AFileThatIsAskedForHasToBeThere) {
  const auto config = load(Words{"--config=/nonexistent/w.conf", "1", "t:1"}, false, kNone);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Errc::Config);
  EXPECT_EQ(config.error().message(), "/nonexistent/w.conf: no such file or directory");
}

TEST(Load, NamesTheFileAndLineOfAnError) {
  const TempFile file("web = d\nbogus = 1\n");
  const auto config = load(Words{"1", "t:1"}, false, file.path());
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Errc::Config);
  EXPECT_EQ(config.error().text, file.path() + ":2: unknown key 'bogus'");
}

TEST(Load, AWrongCommandLineIsSaidFirst) {
  const TempFile file("bogus = 1\n");
  const auto config = load(Words{"--bogus", "--config", file.path().c_str()}, false, kNone);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Errc::Usage);
}

TEST(Load, HelpAndVersionReadNoFile) {
  const TempFile file("bogus = 1\n");
  EXPECT_TRUE(load(Words{"--help"}, false, file.path())->help);
  EXPECT_TRUE(load(Words{"--version", "--config=/nonexistent"}, false, file.path())->version);
}

TEST(Load, CalledAgainItReadsTheFileAgain) {
  const TempFile file("listen = 1\ntarget = f:1\n");
  const Words words{"--config", file.path().c_str(), "--heartbeat=5"};
  const auto before = load(words, false, kNone);
  std::ofstream(file.path()) << "listen = 1\ntarget = f:2\nheartbeat = 9\n";
  const auto after = load(words, false, kNone);
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->target, "f:2");
  EXPECT_EQ(after->heartbeat, std::chrono::seconds(5));
}

TEST(Load, ADefaultFileForTheDaemonAloneDoesNotStopSomebodyElse) {
  const TempFile file("web = d\n");
  ASSERT_EQ(::chmod(file.path().c_str(), 0), 0);
  const uid_t us = ::geteuid();
  if (us == 0) {
    ASSERT_EQ(::seteuid(65534), 0);  // root may read every file
  }
  const auto by_hand = load(Words{"1", "t:1"}, false, file.path());
  const auto as_service = load(Words{}, false, file.path());
  ASSERT_EQ(::seteuid(us), 0);
  ASSERT_TRUE(by_hand);
  EXPECT_EQ(by_hand->warnings, List{file.path() + ": permission denied; going on without it"});
  ASSERT_FALSE(as_service);
  EXPECT_EQ(as_service.error().code, Errc::Config);
}

TEST(Load, WhatDumpConfigPrintsLoadsAsTheSame) {
  const auto config = load(Words{"--unix-listen=/l", "--inetd", "-v", "--traffic", "--ssl-only",
                                 "--unix-listen-mode=666", "--", "sh", "-c", "a\nb", ""},
                           false, kNone);
  ASSERT_TRUE(config);
  const TempFile file(dump_config(*config));
  auto again = load(Words{}, false, file.path());
  ASSERT_TRUE(again) << again.error().text;
  Config expected = *config;
  expected.config = file.path();
  ASSERT_EQ(again->warnings.size(), 1U);
  expected.warnings = again->warnings;
  EXPECT_EQ(*again, expected);
}

}  // namespace
}  // namespace wsproxy::config
