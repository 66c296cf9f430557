#include "config/text.h"

#include <gtest/gtest.h>

namespace wsproxy::config {
namespace {

std::string wrapped(std::string_view text, std::size_t columns, std::string_view margin = "") {
  std::string out;
  wrap_text(out, 0, columns, margin, text);
  return out;
}

TEST(WrapText, BreaksLinesBetweenWords) {
  EXPECT_EQ(wrapped("one two", 7), "one two\n");
  EXPECT_EQ(wrapped("one two", 6), "one\ntwo\n");
  EXPECT_EQ(wrapped("one two three", 5, "# "), "# one\n# two\n# three\n");
  EXPECT_EQ(wrapped("", 5), "\n");
}

TEST(WrapText, GoesOnWhereTheLineStands) {
  std::string out = "ab ";
  wrap_text(out, 3, 6, "   ", "one two");
  EXPECT_EQ(out, "ab one\n   two\n");
}

TEST(Texts, SayDefaultsThatDoNotGoWithoutSaying) {
  EXPECT_EQ(default_of(option_named("heartbeat")), "30");
  EXPECT_EQ(default_of(option_named("unix-listen-mode")), "0600");
  EXPECT_EQ(default_of(option_named("wrap-mode")), "exit");
  EXPECT_EQ(default_of(option_named("ssl-version")), "");
  EXPECT_EQ(default_of(option_named("cert")), "");
  EXPECT_EQ(default_of(option_named("listen")), "");
  EXPECT_EQ(default_of(option_named("ssl-only")), "");
}

TEST(Texts, CallKeysWithoutDashes) {
  EXPECT_NE(key_help_of(option_named("cert")).find("With ssl-only alone"), std::string::npos);
  EXPECT_NE(key_help_of(option_named("wrap")).find("behind -- on"), std::string::npos);
}

TEST(Texts, KeysAreWhatAFileTakes) {
  EXPECT_TRUE(is_key(option_named("wrap")) && is_key(option_named("daemon")));
  EXPECT_FALSE(is_key(option_named("check")) || is_key(option_named("token-plugin")));
}

}  // namespace
}  // namespace wsproxy::config
