#include "config/command_line.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <string>
#include <vector>

#include "config/options.h"

namespace wsproxy::config {
namespace {

using std::chrono::seconds;
using Words = std::vector<const char*>;
using List = std::vector<std::string>;

Config parsed(const Words& arguments) {
  auto config = parse_command_line(arguments);
  if (!config) ADD_FAILURE() << config.error().text;
  return config ? *config : Config{};
}

// The same with the positionals behind.
Config options(Words arguments) {
  arguments.insert(arguments.end(), {"6080", "localhost:5900"});
  return parsed(arguments);
}

std::string error_of(const Words& arguments) {
  const auto config = parse_command_line(arguments);
  if (config) return "accepted";
  EXPECT_EQ(config.error().code, Errc::Usage);
  return config.error().text;
}

std::string option_error(Words arguments) {
  arguments.insert(arguments.end(), {"6080", "localhost:5900"});
  return error_of(arguments);
}

TEST(CommandLine, ReadsListenAddressAndTarget) {
  const Config config = parsed({"10.0.0.1:6080", "localhost:5900"});
  EXPECT_EQ(config.listen, List{"10.0.0.1:6080"});
  EXPECT_EQ(config.target, "localhost:5900");
}

TEST(CommandLine, ReadsEveryFormOfListenAddress) {
  for (const char* address :
       {"6080", ":6080", "[::1]:6080", "0", "h:0", "unix:/x", "fd:0", "systemd"}) {
    EXPECT_EQ(parsed({address, "t:1"}).listen, List{address});
  }
}

TEST(CommandLine, HasItsDefaults) {
  const Config config = options({});
  EXPECT_EQ(config.cert, List{});
  EXPECT_EQ(config.key, List{});
  EXPECT_EQ(config.web, "");
  EXPECT_FALSE(config.ssl_only || config.foreground || config.verbose || config.help ||
               config.version);
  EXPECT_EQ(config.handshake_timeout, seconds(10));
  EXPECT_EQ(config.lookup_timeout, seconds(5));
  EXPECT_EQ(config.connect_timeout, seconds(10));
  EXPECT_EQ(config.drain_timeout, seconds(5));
  EXPECT_EQ(config.send_timeout, seconds(30));
}

TEST(CommandLine, SetsEachOption) {
  EXPECT_EQ(options({"--cert", "c.pem"}).cert, List{"c.pem"});
  EXPECT_EQ(options({"--cert=c.pem", "--key=k.pem"}).key, List{"k.pem"});
  EXPECT_TRUE(options({"--ssl-only"}).ssl_only);
  EXPECT_EQ(options({"--web", "/srv/www"}).web, "/srv/www");
  EXPECT_EQ(options({"--handshake-timeout", "1"}).handshake_timeout, seconds(1));
  EXPECT_EQ(options({"--lookup-timeout=2"}).lookup_timeout, seconds(2));
  EXPECT_EQ(options({"--connect-timeout=3"}).connect_timeout, seconds(3));
  EXPECT_EQ(options({"--drain-timeout=4"}).drain_timeout, seconds(4));
  EXPECT_EQ(options({"--send-timeout=3600"}).send_timeout, seconds(3600));
  EXPECT_TRUE(options({"--foreground"}).foreground);
  EXPECT_TRUE(options({"-f"}).foreground);
  EXPECT_TRUE(options({"--verbose"}).verbose);
  EXPECT_TRUE(options({"-v"}).verbose);
  EXPECT_TRUE(parsed({"--help"}).help);
  EXPECT_TRUE(parsed({"-h"}).help);
  EXPECT_TRUE(parsed({"--version"}).version);
}

TEST(CommandLine, OptionsStandAnywhere) {
  for (const Words& arguments :
       {Words{"-v", "--web", "d", "6080", "t:1"}, Words{"6080", "-v", "--web", "d", "t:1"},
        Words{"6080", "t:1", "--web=d", "-v"}, Words{"--web=d", "6080", "-v", "t:1"}}) {
    const Config config = parsed(arguments);
    EXPECT_EQ(config.listen, List{"6080"});
    EXPECT_EQ(config.target, "t:1");
    EXPECT_EQ(config.web, "d");
    EXPECT_TRUE(config.verbose);
  }
}

TEST(CommandLine, AValueMayHoldAnEqualsSignOrBeginWithADash) {
  EXPECT_EQ(options({"--web=a=b"}).web, "a=b");
  EXPECT_EQ(options({"--web", "-dir"}).web, "-dir");
  EXPECT_EQ(options({"--web=-dir"}).web, "-dir");
}

TEST(CommandLine, TheLastOfSeveralCounts) {
  EXPECT_EQ(options({"--web=a", "--web", "b"}).web, "b");
  EXPECT_EQ(options({"--send-timeout=1", "--send-timeout=2"}).send_timeout, seconds(2));
}

TEST(CommandLine, APrefixIsEnoughWhenItIsUnambiguous) {
  EXPECT_EQ(options({"--ce=x"}).cert, List{"x"});
  EXPECT_TRUE(options({"--verb"}).verbose);
  EXPECT_TRUE(options({"--ssl-o"}).ssl_only);
  EXPECT_EQ(options({"--hand=7"}).handshake_timeout, seconds(7));
  EXPECT_TRUE(parsed({"--hel"}).help);
  EXPECT_TRUE(parsed({"--vers"}).version);
}

TEST(CommandLine, AnAmbiguousPrefixNamesWhatItCouldMean) {
  EXPECT_EQ(option_error({"--ver"}),
            "option --ver is ambiguous: --verify-client, --version, --verbose");
  EXPECT_EQ(option_error({"--he"}), "option --he is ambiguous: --heartbeat, --help");
  EXPECT_EQ(option_error({"--ssl-target-c=x"}),
            "option --ssl-target-c is ambiguous: --ssl-target-ca, --ssl-target-cert");
}

TEST(CommandLine, AnAmbiguousPrefixMeansWhatWebsockifyWouldTakeItFor) {
  EXPECT_EQ(options({"--heart", "30"}).heartbeat, seconds(30));
  EXPECT_EQ(options({"--log=f"}).log_file, "f");
  EXPECT_TRUE(options({"--ssl-t"}).ssl_target);
  EXPECT_EQ(options({"--unix-listen-m=600"}).unix_listen_mode.bits, 0600U);
  EXPECT_EQ(options({"--ti=7"}).timeout, seconds(7));
  EXPECT_EQ(options({"--wrap=respawn"}).wrap_mode, "respawn");
}

TEST(CommandLine, LettersMayBeBundled) {
  const Config config = options({"-fv"});
  EXPECT_TRUE(config.foreground && config.verbose);
  EXPECT_TRUE(parsed({"-vh"}).help);
  EXPECT_EQ(option_error({"-fx"}), "unknown option -x");
  EXPECT_EQ(option_error({"-f=1"}), "unknown option -=");
}

TEST(CommandLine, RefusesUnknownOptions) {
  EXPECT_EQ(option_error({"--bogus"}), "unknown option --bogus");
  EXPECT_EQ(option_error({"--bogus=1"}), "unknown option --bogus");
  EXPECT_EQ(option_error({"--webs=d"}), "unknown option --webs; did you mean --web?");
  EXPECT_EQ(option_error({"--Web=d"}), "unknown option --Web; did you mean --web?");
  EXPECT_EQ(option_error({"--=x"}), "unknown option --");
  // of several that are equally near, the first of the table
  EXPECT_EQ(option_error({"--xxxx-timeout"}),
            "unknown option --xxxx-timeout; did you mean --send-timeout?");
  EXPECT_EQ(option_error({"-x"}), "unknown option -x");
  EXPECT_EQ(error_of({"--help", "--bogus"}), "unknown option --bogus");
}

TEST(CommandLine, WantsAValueWhereOneBelongs) {
  EXPECT_EQ(error_of({"6080", "t:1", "--cert"}), "--cert needs a value: FILE");
  EXPECT_EQ(error_of({"6080", "t:1", "--drain"}), "--drain-timeout needs a value: SECONDS");
  EXPECT_EQ(option_error({"--web="}), "--web: the value is empty");
  EXPECT_EQ(option_error({"--web", ""}), "--web: the value is empty");
  EXPECT_EQ(option_error({"--help=yes"}), "--help takes no value");
  EXPECT_EQ(option_error({"--verb="}), "--verbose takes no value");
}

TEST(CommandLine, RefusesNumbersOutsideTheirLimits) {
  for (const std::string value :
       {"0", "3601", "-1", "+1", "", "x", "1s", " 1", "1.5", "0x10", "99999999999999999999"}) {
    const std::string option = "--send-timeout=" + value;
    EXPECT_EQ(option_error({option.c_str()}),
              "--send-timeout: '" + value + "' is not a number from 1 to 3600");
  }
}

TEST(CommandLine, WantsTwoPositionals) {
  EXPECT_EQ(error_of({}), "expected [ADDR:]PORT and a target");
  EXPECT_EQ(error_of({"-v"}), "expected [ADDR:]PORT and a target");
  EXPECT_EQ(error_of({"6080"}), "expected a target HOST:PORT behind '6080'");
  EXPECT_EQ(error_of({"6080", "a:1", "b:2"}), "too many arguments: 'b:2'");
}

TEST(CommandLine, HelpAndVersionNeedNoPositionals) {
  EXPECT_TRUE(parsed({"--help"}).help);
  EXPECT_TRUE(parsed({"6080", "--version"}).version);
  EXPECT_TRUE(parsed({"-h", "a", "b", "c"}).help);
}

TEST(CommandLine, SaysWhatIsWrongWithTheListenAddress) {
  EXPECT_EQ(error_of({"x", "t:1"}), "listen address 'x': the port is not a number from 0 to 65535");
  EXPECT_EQ(error_of({"::1:80", "t:1"}),
            "listen address '::1:80': write an IPv6 address in brackets");
  EXPECT_EQ(error_of({"-", "t:1"}), "listen address '-': the port is not a number from 0 to 65535");
  EXPECT_EQ(error_of({"", "t:1"}), "listen address '': the port is not a number from 0 to 65535");
}

TEST(CommandLine, AKeyNeedsACertificate) {
  EXPECT_EQ(option_error({"--key=k.pem"}), "--key needs --cert");
}

TEST(CommandLine, SslOnlyAloneReadsSelfPem) {
  EXPECT_EQ(options({"--ssl-only"}).cert, List{"self.pem"});
  EXPECT_EQ(options({"--ssl-only", "--cert=c.pem"}).cert, List{"c.pem"});
  EXPECT_EQ(options({}).cert, List{});
}

TEST(CommandLine, SetsEveryOptionOfTheTable) {
  for (const Option& option : config::options()) {
    if (option.has(kFile) || option.has(kNotYet) || option.name == "foreground") continue;
    std::string value = std::to_string(std::max(7, option.min));
    if (!choices(option).empty()) value = choices(option).back();
    std::string argument = "--" + std::string(option.name);
    if (!option.is_switch()) argument += "=" + value;
    const auto values = parse_arguments(Words{argument.c_str()});
    ASSERT_TRUE(values) << values.error().text;
    EXPECT_TRUE(values->values.has(option.name)) << argument;
    EXPECT_NE(values->values.config, Config{}) << argument;
  }
}

TEST(CommandLine, NamesWhatIsNotThereYet) {
  EXPECT_EQ(error_of({"--token-plugin=TokenFile", "--token-source=f", "6080"}),
            "--token-plugin is not there yet");
  EXPECT_EQ(error_of({"6080", "--token-plugin", "my.Plugin"}),
            "--token-plugin: 'my.Plugin' is a Python class, which cannot be loaded");
  EXPECT_EQ(error_of({"--auth-plugin=my.Plugin", "6080", "t:1"}),
            "--auth-plugin: 'my.Plugin' is a Python class, which cannot be loaded");
  for (const std::string name : {"token-source", "target-config", "auth-plugin", "auth-source"}) {
    const std::string option = "--" + name + "=a.b";
    if (name == "auth-plugin") continue;
    EXPECT_EQ(option_error({option.c_str()}), "--" + name + " is not there yet");
  }
  EXPECT_EQ(option_error({"--host-token"}), "--host-token is not there yet");
  EXPECT_EQ(option_error({"--web-auth"}), "--web-auth is not there yet");
}

TEST(CommandLine, ChecksChoicesAndModes) {
  EXPECT_EQ(option_error({"--wrap-mode=never"}),
            "--wrap-mode: 'never' is not exit, ignore or respawn");
  EXPECT_EQ(option_error({"--unix-listen-mode=9"}),
            "--unix-listen-mode: '9' is not an octal mode such as 0660");
  EXPECT_EQ(option_error({"--max-sessions=-1"}),
            "--max-sessions: '-1' is not a number from 0 to 1000000");
}

TEST(CommandLine, KeepsEveryValueOfAListAndTheWrapOptionForTheFile) {
  EXPECT_EQ(parsed({"--listen=1", "--listen", "h:2", "t:1"}).listen, (List{"1", "h:2"}));
  EXPECT_EQ(option_error({"--wrap=cmd"}), "--wrap-mode: 'cmd' is not exit, ignore or respawn");
}

// utils/novnc_proxy, with all it passes but for what needs a plug-in
TEST(CommandLine, TakesWhatNoVncsProxyScriptPasses) {
  const Config config =
      parsed({"--syslog", "h:514",          "--ssl-only",  "--file-only", "--web",
              "/w",       "--cert",         "/c.pem",      "--key",       "/k.pem",
              "6080",     "localhost:5900", "--heartbeat", "20",          "--idle-timeout",
              "60",       "--record",       "/r",          "--timeout",   "90"});
  EXPECT_EQ(config.syslog, "h:514");
  EXPECT_TRUE(config.ssl_only && config.file_only);
  EXPECT_EQ(config.web, "/w");
  EXPECT_EQ(config.cert, List{"/c.pem"});
  EXPECT_EQ(config.key, List{"/k.pem"});
  EXPECT_EQ(config.listen, List{"6080"});
  EXPECT_EQ(config.target, "localhost:5900");
  EXPECT_EQ(config.heartbeat, seconds(20));
  EXPECT_EQ(config.idle_timeout, seconds(60));
  EXPECT_EQ(config.record, "/r");
  EXPECT_EQ(config.timeout, seconds(90));
  EXPECT_EQ(config.warnings, List{});
}

TEST(CommandLine, AProgramBehindTwoDashesTakesTheTargetsPlace) {
  const Config config = parsed({"6080", "-v", "--", "vnc", "-v", "--", ""});
  EXPECT_EQ(config.listen, List{"6080"});
  EXPECT_EQ(config.target, "");
  EXPECT_EQ(config.wrap, (List{"vnc", "-v", "--", ""}));
  EXPECT_EQ(error_of({"6080", "--"}), "expected a program behind --");
  EXPECT_EQ(error_of({"6080", "t:1", "--", "x"}),
            "too many arguments: 't:1': the target is given already");
}

}  // namespace
}  // namespace wsproxy::config
