// What is made from the option table and checked in: each has to be as the table has it now.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "config/completion.h"
#include "config/config_file.h"
#include "config/man_text.h"
#include "config/options.h"
#include "config/sample.h"
#include "config/text.h"

namespace wsproxy::config {
namespace {

std::string contents(const char* path) {
  std::ifstream file(path);  // tests run from the top of the repository
  EXPECT_TRUE(file) << path << " is missing: make man";
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(MadeFiles, AreAsTheTableHasThem) {
  constexpr const char* kHint = " is older than the option table: make man";
  EXPECT_NE(contents("man/wsproxy.8").find("not edit\n" + man_options() + ".\\\" end"),
            std::string::npos)
      << "man/wsproxy.8" << kHint;
  EXPECT_NE(contents("man/wsproxy.conf.5").find("not edit\n" + man_keys() + ".\\\" end"),
            std::string::npos)
      << "man/wsproxy.conf.5" << kHint;
  EXPECT_TRUE(contents("systemd/wsproxy.conf") == sample_file()) << "systemd/wsproxy.conf" << kHint;
  EXPECT_TRUE(contents("scripts/wsproxy.bash-completion") == bash_completion())
      << "scripts/wsproxy.bash-completion" << kHint;
}

std::vector<std::string> items_of(const std::string& page) {
  std::vector<std::string> items;
  int lists = 0;
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with(".It ")) items.push_back(line);
    if (line.starts_with(".Bl ")) ++lists;
    if (line == ".El") --lists;
    EXPECT_TRUE(lists == 0 || lists == 1);
    EXPECT_FALSE(line.empty()) << "mandoc does not like empty lines";
    EXPECT_FALSE(line.starts_with('\'')) << "would be a request: " << line;
  }
  EXPECT_EQ(lists, 0);
  return items;
}

TEST(ManOptions, HaveAnItemForEachOption) {
  const auto items = items_of(man_options());
  std::size_t i = 0;
  for (const Option& option : options()) {
    if (option.has(kFile) || option.has(kNotYet)) continue;
    ASSERT_LT(i, items.size());
    const std::string& item = items[i++];
    if (option.letter != 0) {
      EXPECT_TRUE(item.starts_with(std::string(".It Fl ") + option.letter + " , ")) << item;
    }
    if (!option.is_switch() && choices(option).empty()) {
      EXPECT_TRUE(item.ends_with(" Ar " + std::string(option.value))) << item;
    }
  }
  EXPECT_EQ(i, items.size());
}

TEST(ManOptions, EscapeTheirDashes) {
  EXPECT_NE(man_options().find(".It Fl Fl ssl\\-only\n"), std::string::npos);
  EXPECT_NE(man_options().find("With \\-\\-ssl\\-only alone"), std::string::npos);
  EXPECT_NE(man_options().find(".It Fl Fl wrap\\-mode Cm exit | ignore | respawn\n"),
            std::string::npos);
}

TEST(ManOptions, NameWhatIsNotThereYet) {
  EXPECT_NE(man_options().find("\n.Fl Fl token\\-plugin ,\n"), std::string::npos);
  EXPECT_TRUE(man_options().ends_with("\n.Fl Fl web\\-auth .\n"));
}

TEST(ManKeys, HaveAnItemForEachKey) {
  const auto items = items_of(man_keys());
  std::size_t i = 0;
  for (const Option& option : options()) {
    if (!is_key(option)) continue;
    ASSERT_LT(i, items.size());
    EXPECT_TRUE(items[i++].ends_with(option.is_switch() ? "No = Cm yes | no"
                                     : !choices(option).empty()
                                         ? " " + std::string(choices(option).back())
                                         : "No = Ar " + std::string(option.value)))
        << option.name;
  }
  EXPECT_EQ(i, items.size());
}

TEST(ManKeys, SayWhatTakesARestart) {
  const std::string text = man_keys();
  const auto item = [&](const std::string& name) {
    const auto from = text.find(".It Ic " + name + " No");
    return text.substr(from, text.find("\n.It", from) - from);
  };
  EXPECT_NE(item("user").find("\nA change takes a restart."), std::string::npos);
  EXPECT_EQ(item("cert").find("restart"), std::string::npos);
  EXPECT_EQ(item("log\\-level").find("restart"), std::string::npos);
}

TEST(SampleFile, ChangesNothingAsItIs) {
  const auto values = parse_config_file(sample_file(), "sample");
  ASSERT_TRUE(values) << values.error().text;
  EXPECT_TRUE(values->given.empty());
}

TEST(SampleFile, HasEveryKeyWithItsDefault) {
  std::string uncommented;
  std::size_t keys = 0;
  for (const std::string& line : lines_of(sample_file())) {
    EXPECT_LE(line.size(), 79U) << line;
    EXPECT_FALSE(line.ends_with(' ')) << line;
    if (line.size() < 2 || line[0] != '#' || line[1] == ' ') continue;
    ++keys;
    const std::string name = line.substr(1, line.find(' ') - 1);
    if (!values_of(Config{}, option_named(name)).empty()) uncommented += line.substr(1) + "\n";
  }
  const auto values = parse_config_file(uncommented, "sample");
  ASSERT_TRUE(values) << values.error().text;
  EXPECT_EQ(values->config, Config{});
  std::size_t expected = 0;
  for (const Option& option : options()) expected += is_key(option) ? 1U : 0U;
  EXPECT_EQ(keys, expected);
}

}  // namespace
}  // namespace wsproxy::config
