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

TEST(Help, NamesEveryOptionWithItsLetterValueAndWords) {
  const std::string text = unwrapped(help_text());
  for (const Option& option : options()) {
    if (option.has(kFile)) continue;
    std::string names = option.letter != 0 ? std::string(" -") + option.letter + ", " : " ";
    names += "--" + std::string(option.name);
    if (!option.value.empty()) names += " " + std::string(option.value);
    EXPECT_NE(text.find(names + " " + std::string(option.help)), std::string::npos) << names;
  }
}

TEST(Help, SaysTheDefaultsOfNumbers) {
  const std::string text = unwrapped(help_text());
  EXPECT_NE(text.find("request is not complete after this long (default 10)"), std::string::npos);
  EXPECT_NE(text.find("page or file for this long (default 30)"), std::string::npos);
}

TEST(Help, OptionTextStartsInOneColumn) {
  bool in_options = false;
  for (const std::string& line : lines_of(help_text())) {
    if (line == "Options:") {
      in_options = true;
      continue;
    }
    if (line.empty()) in_options = false;
    // names that reach into the column have a line of their own
    const bool names_alone = line.find("  ", 6) == std::string::npos;
    if (!in_options || names_alone) continue;
    ASSERT_GT(line.size(), 29U) << line;
    EXPECT_NE(line[29], ' ') << line;
    EXPECT_EQ(line[28], ' ') << line;
  }
}

TEST(ManOptions, AreOneListWithAnItemForEachOption) {
  const auto lines = lines_of(man_options());
  ASSERT_GE(lines.size(), 2U);
  EXPECT_TRUE(lines.front().starts_with(".Bl -tag"));
  EXPECT_EQ(lines.back(), ".El");
  std::vector<std::string> items;
  for (const std::string& line : lines) {
    if (line.starts_with(".It ")) items.push_back(line);
    EXPECT_FALSE(line.empty()) << "mandoc does not like empty lines";
    EXPECT_FALSE(line.starts_with('\'')) << "would be a request: " << line;
  }
  std::size_t i = 0;
  for (const Option& option : options()) {
    if (option.has(kFile)) continue;
    ASSERT_LT(i, items.size());
    const std::string& item = items[i++];
    if (option.letter != 0) {
      EXPECT_NE(item.find(std::string("Fl ") + option.letter + " , "), std::string::npos);
    }
    if (!option.value.empty()) {
      EXPECT_TRUE(item.ends_with(" Ar " + std::string(option.value))) << item;
    }
  }
}

TEST(ManOptions, EscapeTheirDashes) {
  EXPECT_NE(man_options().find(".It Fl Fl ssl\\-only\n"), std::string::npos);
  EXPECT_NE(man_options().find("With \\-\\-ssl\\-only alone"), std::string::npos);
}

TEST(ManPage, HoldsTheOptionsAsTheTableHasThem) {
  std::ifstream file("man/wsproxy.8");  // tests run from the top of the repository
  ASSERT_TRUE(file) << "man/wsproxy.8 is missing: make man";
  const std::string page(std::istreambuf_iterator<char>(file), {});
  EXPECT_NE(page.find(man_options()), std::string::npos)
      << "man/wsproxy.8 is older than the option table: make man";
}

}  // namespace
}  // namespace wsproxy::config
