#include "config/config_file.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <algorithm>

#include <filesystem>

#include "config/options.h"
#include "support/certificate.h"

namespace wsproxy::config {
namespace {

using std::chrono::seconds;
using test::TempFile;
using List = std::vector<std::string>;

Config parsed(std::string_view text) {
  const auto values = parse_config_file(text, "w.conf");
  if (!values) ADD_FAILURE() << values.error().text;
  return values ? values->config : Config{};
}

std::string error_of(std::string_view text) {
  const auto values = parse_config_file(text, "w.conf");
  if (values) return "accepted";
  EXPECT_EQ(values.error().code, Errc::Config);
  return values.error().text;
}

TEST(ConfigFile, ReadsKeysOfEveryKind) {
  const Config config = parsed(
      "cert = c.pem\n"
      "ssl-only = yes\n"
      "heartbeat = 7\n"
      "max-sessions = 12\n"
      "unix-listen-mode = 0660\n"
      "wrap-mode = ignore\n"
      "listen = 6080\n"
      "listen = unix:/run/w\n");
  EXPECT_EQ(config.cert, List{"c.pem"});
  EXPECT_TRUE(config.ssl_only);
  EXPECT_EQ(config.heartbeat, seconds(7));
  EXPECT_EQ(config.max_sessions, 12);
  EXPECT_EQ(config.unix_listen_mode, FileMode{0660});
  EXPECT_EQ(config.wrap_mode, "ignore");
  EXPECT_EQ(config.listen, (List{"6080", "unix:/run/w"}));
}

TEST(ConfigFile, SkipsBlankLinesAndComments) {
  EXPECT_EQ(parsed(""), Config{});
  EXPECT_EQ(parsed("\n \t\n# web = a\n  ; web = b\n\r\n"), Config{});
}

TEST(ConfigFile, AValueIsTheRestOfItsLineWithoutTheBlanksAroundIt) {
  EXPECT_EQ(parsed("web=/srv").web, "/srv");
  EXPECT_EQ(parsed("\t web  =\t /srv/my page # x = y \t").web, "/srv/my page # x = y");
  EXPECT_EQ(parsed("web = /srv\r\ncert = c\r\n").web, "/srv");
  EXPECT_EQ(parsed("frame-ancestors = 'none'").frame_ancestors, "'none'");
  EXPECT_EQ(parsed("web = /srv/ü").web, "/srv/ü");
}

TEST(ConfigFile, AValueMayStandInDoubleQuotes) {
  EXPECT_EQ(parsed("web = \"/srv\"").web, "/srv");
  EXPECT_EQ(parsed("wrap = x\nwrap = \"\"\nwrap = \"  \"").wrap, (List{"x", "", "  "}));
  EXPECT_EQ(parsed(R"(web = "\\ \" \n \r \t \x01\xfF")").web, "\\ \" \n \r \t \x01\xff");
}

TEST(ConfigFile, SaysWhatIsWrongWithQuotes) {
  EXPECT_EQ(error_of("web = \"a"), "w.conf:1: web: the quotation mark is not closed");
  EXPECT_EQ(error_of("web = \"a\\"),
            "w.conf:1: web: expected one of \\ \" n r t x behind a backslash");
  EXPECT_EQ(error_of("web = \"a\\\""), "w.conf:1: web: the quotation mark is not closed");
  EXPECT_EQ(error_of("web = \"a\" b"),
            "w.conf:1: web: nothing may follow the closing quotation mark");
  EXPECT_EQ(error_of("web = \"\\q\""),
            "w.conf:1: web: expected one of \\ \" n r t x behind a backslash");
  for (const char* text :
       {R"(web = "\x0")", R"(web = "\x00")", R"(web = "\xg1")", R"(web = "\x")"}) {
    EXPECT_EQ(error_of(text), "w.conf:1: web: expected two hexadecimal digits, not 00, behind \\x");
  }
  EXPECT_EQ(error_of("web = \"\""), "w.conf:1: web: the value is empty");
}

TEST(ConfigFile, SwitchesAreYesOrNo) {
  for (const std::string yes : {"yes", "true", "on", "1"})
    EXPECT_TRUE(parsed("run-once = " + yes).run_once) << yes;
  for (const std::string no : {"no", "false", "off", "0"})
    EXPECT_FALSE(parsed("run-once = " + no).run_once) << no;
  EXPECT_EQ(error_of("run-once = maybe"), "w.conf:1: run-once: 'maybe' is not yes or no");
  EXPECT_EQ(error_of("run-once"), "w.conf:1: expected key = value");
  EXPECT_EQ(error_of("run-once = YES"), "w.conf:1: run-once: 'YES' is not yes or no");
}

TEST(ConfigFile, NamesFileAndLineOfABadValue) {
  EXPECT_EQ(error_of("\n# c\nheartbeat = soon\n"),
            "w.conf:3: heartbeat: 'soon' is not a number from 0 to 86400");
  EXPECT_EQ(error_of("listen = x"),
            "w.conf:1: listen: 'x': the port is not a number from 0 to 65535");
  EXPECT_EQ(error_of("wrap-mode = never"),
            "w.conf:1: wrap-mode: 'never' is not exit, ignore or respawn");
  EXPECT_EQ(error_of("unix-listen-mode = 0999"),
            "w.conf:1: unix-listen-mode: '0999' is not an octal mode such as 0660");
  EXPECT_EQ(error_of("cert ="), "w.conf:1: cert: the value is empty");
  EXPECT_EQ(error_of("wrap ="), "w.conf:1: wrap: the value is empty");
}

TEST(ConfigFile, NamesTheNearestOfAnUnknownKey) {
  EXPECT_EQ(error_of("web = d\nheartbeet = 5"),
            "w.conf:2: unknown key 'heartbeet'; did you mean heartbeat?");
  EXPECT_EQ(error_of("ssl_only = yes"), "w.conf:1: unknown key 'ssl_only'; did you mean ssl-only?");
  EXPECT_EQ(error_of("--cert = c"), "w.conf:1: unknown key '--cert'; did you mean cert?");
  EXPECT_EQ(error_of("colour = blue"), "w.conf:1: unknown key 'colour'");
  EXPECT_EQ(error_of("heart = 5"), "w.conf:1: unknown key 'heart'");  // no prefixes in a file
  EXPECT_EQ(error_of("chek = yes"), "w.conf:1: unknown key 'chek'");  // no key has a name near it
  EXPECT_EQ(error_of("= 5"), "w.conf:1: unknown key ''");
  EXPECT_EQ(error_of(std::string(5000, 'x') + " = 5"),
            "w.conf:1: unknown key '" + std::string(5000, 'x') + "'");
}

TEST(ConfigFile, RefusesWhatBelongsOnTheCommandLine) {
  for (const std::string key :
       {"config", "check", "dump-config", "help", "version", "foreground"}) {
    EXPECT_EQ(error_of("web = d\n" + key + " = yes"),
              "w.conf:2: '" + key + "' belongs on the command line");
  }
  EXPECT_TRUE(parsed("daemon = yes").daemon);
}

TEST(ConfigFile, RefusesWhatIsNotThereYet) {
  EXPECT_EQ(error_of("[desk]"), "w.conf:1: sections are not there yet");
  EXPECT_EQ(error_of("token-plugin = TokenFile"), "w.conf:1: token-plugin is not there yet");
  EXPECT_EQ(error_of("web-auth = no"), "w.conf:1: web-auth is not there yet");
}

TEST(ConfigFile, RefusesAKeyThatIsGivenTwice) {
  EXPECT_EQ(error_of("heartbeat = 5\n\nheartbeat = 5\n"),
            "w.conf:3: heartbeat is given twice, first in line 1");
}

TEST(ConfigFile, RefusesBytesThatAreNoText) {
  const std::string not_text = "w.conf:2: the line is not text in UTF-8";
  EXPECT_EQ(error_of(std::string_view("cert = c\nweb = a\0b\n", 18)), not_text);
  EXPECT_EQ(error_of("cert = c\nweb = \x1b[1m"), not_text);
  EXPECT_EQ(error_of("cert = c\nweb = \xff"), not_text);
  EXPECT_EQ(error_of("cert = c\n# \xc3"), not_text);
  EXPECT_EQ(error_of("cert = c\nweb = a\rb"), not_text);
  EXPECT_EQ(error_of("cert = c\nweb = \x7f"), not_text);
}

TEST(ConfigFile, RefusesWhatIsTooLong) {
  const std::string longest = "web = " + std::string(kMaxLineBytes - 6, 'x');
  EXPECT_EQ(parsed(longest).web.size(), kMaxLineBytes - 6);
  EXPECT_EQ(error_of(longest + "x"), "w.conf:1: the line is longer than 16384 bytes");
  EXPECT_EQ(parsed(std::string(kMaxFileBytes, '\n')), Config{});
  EXPECT_EQ(error_of(std::string(kMaxFileBytes + 1, '\n')), "w.conf: larger than 1048576 bytes");
}

TEST(ConfigFile, TellsWhereEachKeyStands) {
  const auto values = parse_config_file("web = d\nlisten = 1\nlisten = 2\n", "w.conf");
  ASSERT_TRUE(values);
  EXPECT_EQ(values->given.size(), 2U);
  EXPECT_EQ(values->given.at("web"), "w.conf:1");
  EXPECT_EQ(values->given.at("listen"), "w.conf:2");
}

TEST(ReadConfigFile, ReadsARegularFile) {
  const TempFile file("web = d\n");
  EXPECT_EQ(read_config_file(file.path()).value(), "web = d\n");
}

TEST(ReadConfigFile, NamesWhatItCannotRead) {
  const auto missing = read_config_file("/nonexistent/w.conf");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::Config);
  EXPECT_EQ(missing.error().message(), "/nonexistent/w.conf: no such file or directory");
  EXPECT_EQ(read_config_file("/").error().message(), "/: not a regular file");
  EXPECT_EQ(read_config_file("/dev/null").error().message(), "/dev/null: not a regular file");
}

TEST(ReadConfigFile, DoesNotWaitForAWriter) {
  const std::string path = testing::TempDir() + "wsproxy-fifo-" + std::to_string(::getpid());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(read_config_file(path).error().message(), path + ": not a regular file");
  ::unlink(path.c_str());
}

TEST(ReadConfigFile, StopsAtTheLimit) {
  const TempFile file(std::string(2 * kMaxFileBytes, '#'));
  const auto text = read_config_file(file.path());
  ASSERT_TRUE(text);
  EXPECT_EQ(text->size(), kMaxFileBytes + 1);  // enough for the parser to refuse it
}

// A value that differs from the default; the same for every row, whatever its type.
std::string other_value(const Option& option) {
  const auto words = choices(option);
  if (!words.empty()) {
    const bool first_is_default = words.front() == values_of(Config{}, option).front();
    return std::string(first_is_default ? words.back() : words.front());
  }
  if (option.is_switch()) return values_of(Config{}, option).front() == "yes" ? "no" : "yes";
  if (option.name == "listen") return "localhost:1";
  if (std::holds_alternative<std::string Config::*>(option.member) || option.repeats())
    return "a b";
  if (std::holds_alternative<FileMode Config::*>(option.member)) return "0751";
  return std::to_string(std::max(77, option.min));
}

TEST(DumpConfig, ReadBackGivesTheSameForEveryOption) {
  for (const Option& option : options()) {
    if (option.has(kCommandLine) || option.has(kNotYet) || option.has(kSecret)) continue;
    Config config;
    ASSERT_TRUE(assign(config, option, other_value(option))) << option.name;
    ASSERT_NE(config, Config{}) << option.name;
    EXPECT_EQ(parsed(dump_config(config)), config) << option.name;
  }
}

TEST(DumpConfig, ReadBackGivesTheSameForAllOfThemTogether) {
  Config config;
  for (const Option& option : options()) {
    if (option.has(kCommandLine) || option.has(kNotYet) || option.has(kSecret)) continue;
    ASSERT_TRUE(assign(config, option, other_value(option))) << option.name;
    if (option.repeats()) {
      ASSERT_TRUE(assign(config, option, "2"));
    }
  }
  EXPECT_EQ(parsed(dump_config(config)), config);
  EXPECT_EQ(parsed(dump_config(Config{})), Config{});
}

TEST(DumpConfig, ReadBackGivesTheSameForAwkwardValues) {
  Config config;
  config.wrap = {"sh",   "-c", " echo \"$1\"\n\texit\\1 ", "", "#", "\"", "\xff\xc3\xbc", "ü",
                 "\x7f", "'"};
  EXPECT_EQ(parsed(dump_config(config)), config);
}

TEST(DumpConfig, NamesEveryKeyOnceInTheTablesOrder) {
  const std::string dump = dump_config(Config{});
  std::size_t at = 0;
  for (const Option& option : options()) {
    const bool expected = !option.has(kCommandLine) && !option.has(kNotYet);
    const auto found = dump.find(std::string(option.name) + " =", at);
    if (expected) {
      ASSERT_NE(found, std::string::npos) << option.name;
      at = found;
    } else {
      EXPECT_EQ(dump.find("\n" + std::string(option.name) + " ="), std::string::npos);
    }
  }
  EXPECT_NE(dump.find("\n\n# Listening\n# listen =\n# unix-listen =\nunix-listen-mode = 0600\n"),
            std::string::npos);
  EXPECT_NE(dump.find("\n\n# Accepted for websockify's sake\n"), std::string::npos);
}

TEST(DumpConfig, ShowsNoSecret) {
  Config config;
  config.key_password = "opensesame";
  const std::string dump = dump_config(config);
  EXPECT_EQ(dump.find("opensesame"), std::string::npos);
  EXPECT_NE(dump.find("\n# key-password is set, and not shown\n"), std::string::npos);
  EXPECT_EQ(parsed(dump), Config{});
}

TEST(QuotedValue, QuotesOnlyWhatHasToBe) {
  EXPECT_EQ(quoted_value("a b"), "a b");
  EXPECT_EQ(quoted_value("a\"\\#"), "a\"\\#");
  EXPECT_EQ(quoted_value(""), "\"\"");
  EXPECT_EQ(quoted_value(" a"), "\" a\"");
  EXPECT_EQ(quoted_value("a\n"), "\"a\\x0a\"");
  EXPECT_EQ(quoted_value("\"a"), "\"\\\"a\"");
  EXPECT_EQ(quoted_value("\xff"), "\"\\xff\"");
}

}  // namespace
}  // namespace wsproxy::config
