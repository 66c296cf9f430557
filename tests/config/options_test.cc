#include "config/options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace wsproxy::config {
namespace {

TEST(Options, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  std::set<char> letters;
  for (const Option& option : options()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_TRUE(option.letter == 0 || letters.insert(option.letter).second) << option.letter;
    EXPECT_EQ(option.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"),
              std::string_view::npos)
        << option.name;
  }
}

TEST(Options, NameTheirValueUnlessTheyAreSwitches) {
  for (const Option& option : options()) {
    const bool is_switch = std::holds_alternative<bool Config::*>(option.member);
    EXPECT_EQ(option.value.empty(), is_switch) << option.name;
    EXPECT_TRUE(option.letter == 0 || is_switch) << "letters are bundled: " << option.name;
  }
}

TEST(Options, HaveDefaultsWithinTheirLimits) {
  const Config defaults;
  for (const Option& option : options()) {
    const auto* member = std::get_if<std::chrono::seconds Config::*>(&option.member);
    if (member == nullptr) continue;
    EXPECT_LE(option.min, (defaults.**member).count()) << option.name;
    EXPECT_GE(option.max, (defaults.**member).count()) << option.name;
  }
}

TEST(Options, EachSetsAMemberOfItsOwn) {
  std::vector<Member> seen;
  for (const Option& option : options()) {
    for (const Member& member : seen) EXPECT_FALSE(member == option.member) << option.name;
    seen.push_back(option.member);
  }
}

TEST(Options, StandUnderTheirHeadings) {
  Group last = Group::Listening;
  for (const Option& option : options()) {
    EXPECT_GE(option.group, last) << option.name;
    last = option.group;
    EXPECT_FALSE(heading(option.group).empty());
  }
}

TEST(Options, HaveChoicesAmongThemTheDefault) {
  int seen = 0;
  for (const Option& option : options()) {
    const auto words = choices(option);
    if (words.empty()) continue;
    ++seen;
    Config config;
    EXPECT_NE(std::ranges::find(words, values_of(config, option).front()), words.end());
    for (const std::string_view word : words) EXPECT_TRUE(assign(config, option, word)) << word;
    EXPECT_FALSE(assign(config, option, "neither")) << option.name;
    EXPECT_FALSE(assign(config, option, option.value)) << option.name;
  }
  EXPECT_EQ(seen, 5);
}

TEST(Options, AreReadFromWhatTheyArePrintedAs) {
  for (const Option& option : options()) {
    Config config;
    for (const std::string& value : values_of(Config{}, option))
      EXPECT_TRUE(assign(config, option, value)) << option.name << " = " << value;
    EXPECT_EQ(config, Config{}) << option.name;
  }
}

TEST(Options, ReadModesInOctal) {
  const Option& option = option_named("unix-listen-mode");
  Config config;
  for (const auto& [text, bits] :
       {std::pair{"0600", 0600U}, {"660", 0660U}, {"0", 0U}, {"777", 0777U}}) {
    EXPECT_TRUE(assign(config, option, text));
    EXPECT_EQ(config.unix_listen_mode.bits, bits);
  }
  for (const char* text : {"", "8", "1000", "-1", "0o600", "rw", "600 ", "77777777777777777777"}) {
    EXPECT_FALSE(assign(config, option, text)) << text;
  }
}

TEST(DescribeChanges, NamesWhatDiffersAndWhenItCounts) {
  Config before;
  before.listen = {"1"};
  Config after = before;
  EXPECT_TRUE(describe_changes(before, after).empty());
  after.listen.emplace_back("2");
  after.key_password = "secret";
  after.log_level = "debug";
  after.heartbeat = std::chrono::seconds(1);
  after.warnings.emplace_back("not an option");
  const auto changes = describe_changes(before, after);
  ASSERT_EQ(changes.size(), 4U);
  EXPECT_EQ(changes[0].option, "listen");
  EXPECT_EQ(changes[0].reload, Reload::Restart);
  EXPECT_EQ(changes[1].option, "key-password");
  EXPECT_EQ(changes[1].reload, Reload::NewSessions);
  EXPECT_EQ(changes[2].option, "heartbeat");
  EXPECT_EQ(changes[3].option, "log-level");
  EXPECT_EQ(changes[3].reload, Reload::Now);
}

TEST(KeepUntilRestart, GivesBackWhatAReloadCannotChange) {
  Config before;
  before.listen = {"1"};
  before.config = "/etc/one";
  Config after;
  after.listen = {"1", "2"};
  after.config = "/etc/two";
  after.target = "b:1";
  after.run_once = true;
  after.heartbeat = std::chrono::seconds(1);
  EXPECT_EQ(keep_until_restart(before, after),
            (std::vector<std::string_view>{"listen", "run-once"}));
  EXPECT_EQ(after.listen, before.listen);
  EXPECT_FALSE(after.run_once);
  EXPECT_EQ(after.target, "b:1");
  EXPECT_EQ(after.heartbeat, std::chrono::seconds(1));
  EXPECT_EQ(after.config, "/etc/two") << "which file was read is no setting";
  EXPECT_TRUE(keep_until_restart(after, after).empty());
}

TEST(KeepUntilRestart, LeavesTheTargetWhereAProgramCameOrWent) {
  Config with_target;
  with_target.target = "a:1";
  Config with_program;
  with_program.wrap = {"Xvnc"};
  Config after = with_program;
  EXPECT_EQ(keep_until_restart(with_target, after), (std::vector<std::string_view>{"wrap"}));
  EXPECT_EQ(after, with_target);
  after = with_target;
  EXPECT_EQ(keep_until_restart(with_program, after), (std::vector<std::string_view>{"wrap"}));
  EXPECT_EQ(after, with_program);
}

TEST(Options, HelpIsASentenceWithoutItsStop) {
  for (const Option& option : options()) {
    ASSERT_FALSE(option.help.empty()) << option.name;
    EXPECT_TRUE(option.help.front() >= 'A' && option.help.front() <= 'Z') << option.name;
    EXPECT_NE(option.help.back(), '.') << option.name;
    EXPECT_EQ(option.help.find("  "), std::string_view::npos) << option.name;
  }
}

}  // namespace
}  // namespace wsproxy::config
