#include "config/help.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "config/options.h"

namespace wsproxy::config {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// One space where there were several spaces or a line end.
std::string unwrapped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n';
    if (!space) out += c;
    if (space && !out.ends_with(' ')) out += ' ';
  }
  return out;
}

TEST(Help, FitsIn80Columns) {
  for (const std::string& line : lines_of(help_text())) {
    EXPECT_LE(line.size(), 80U) << line;
    EXPECT_FALSE(line.ends_with(' ')) << '"' << line << '"';
    EXPECT_EQ(line.find('\t'), std::string::npos) << line;
  }
  EXPECT_TRUE(help_text().ends_with(".\n"));
}

TEST(Help, BeginsWithTheUsageLine) {
  EXPECT_EQ(usage_line(), "wsproxy [options] [ADDR:]PORT TARGET");
  EXPECT_EQ(lines_of(help_text())[0], "Usage: " + usage_line());
}

TEST(Help, NamesTheProgramAsItWasCalled) {
  EXPECT_EQ(program_name("wsproxy"), "wsproxy");
  EXPECT_EQ(program_name("/usr/bin/websockify"), "websockify");
  EXPECT_EQ(program_name("./websockify"), "websockify");
  EXPECT_EQ(program_name(nullptr), "wsproxy");
  EXPECT_EQ(program_name(""), "wsproxy");
  EXPECT_EQ(program_name("/usr/bin/"), "wsproxy");
  EXPECT_EQ(usage_line("websockify"), "websockify [options] [ADDR:]PORT TARGET");
  const std::string text = help_text("websockify");
  EXPECT_TRUE(text.starts_with("Usage: websockify ")) << text;
  EXPECT_NE(text.find("\n  websockify 6080 localhost:5900\n"), std::string::npos);
}

TEST(Help, HasAHeadingForEveryGroup) {
  const std::string text = help_text();
  std::size_t at = 0;
  for (const Option& option : options()) {
    const auto found = text.find("\n\n" + std::string(heading(option.group)) + ":\n");
    ASSERT_NE(found, std::string::npos) << heading(option.group);
    EXPECT_GE(found, at);
    at = found;
  }
  EXPECT_LT(text.find("\nTLS:\n"), text.find("--ssl-only "));
  EXPECT_GT(text.find("\nPages:\n"), text.find("--ssl-only  "));
}

TEST(Help, NamesWhatIsNotThereYet) {
  const std::string text = unwrapped(help_text());
  const auto at = text.find("Not there yet: ");
  ASSERT_NE(at, std::string::npos);
  for (const Option& option : options()) {
    if (!option.has(kNotYet)) continue;
    EXPECT_GT(text.find("--" + std::string(option.name)), at) << option.name;
  }
}

TEST(Help, NamesEveryOptionWithItsLetterValueAndWords) {
  const std::string text = unwrapped(help_text());
  for (const Option& option : options()) {
    if (option.has(kFile) || option.has(kNotYet)) continue;
    std::string names = option.letter != 0 ? std::string(" -") + option.letter + ", " : " ";
    names += "--" + std::string(option.name);
    if (!option.value.empty()) names += " " + std::string(option.value);
    EXPECT_NE(text.find(names + " " + std::string(option.help)), std::string::npos) << names;
  }
}

TEST(Help, SaysTheDefaultsOfNumbers) {
  const std::string text = unwrapped(help_text());
  EXPECT_NE(text.find("TLS and all, is not complete after this long (default 10)"),
            std::string::npos);
  EXPECT_NE(text.find("page or file for this long (default 30)"), std::string::npos);
}

TEST(Help, OptionTextStartsInOneColumn) {
  for (const std::string& line : lines_of(help_text())) {
    // names that reach into the column have a line of their own
    const bool names_alone = line.size() > 7 && line.find("  ", 6) == std::string::npos;
    if (!line.starts_with("  -") && !line.starts_with("      --")) continue;
    if (names_alone || line.starts_with("      --token-plugin, ") ||
        line.starts_with("      --auth-plugin, "))
      continue;
    ASSERT_GT(line.size(), 29U) << line;
    EXPECT_NE(line[29], ' ') << line;
    EXPECT_EQ(line[28], ' ') << line;
  }
}

}  // namespace
}  // namespace wsproxy::config
