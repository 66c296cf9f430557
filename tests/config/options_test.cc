#include "config/options.h"

#include <gtest/gtest.h>

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
