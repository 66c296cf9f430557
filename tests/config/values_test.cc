#include "config/values.h"

#include <gtest/gtest.h>

#include "config/command_line.h"
#include "config/config_file.h"

namespace wsproxy::config {
namespace {

using Words = std::vector<const char*>;
using List = std::vector<std::string>;

Result<Config> combined(const Words& words, std::string_view file = "", bool inherited = false) {
  auto arguments = parse_arguments(words);
  if (!arguments) return std::unexpected(arguments.error());
  auto values = parse_config_file(file, "w.conf");
  if (!values) return std::unexpected(values.error());
  return combine(*std::move(arguments), *values, inherited);
}

Config config_of(const Words& words, std::string_view file = "", bool inherited = false) {
  auto config = combined(words, file, inherited);
  if (!config) ADD_FAILURE() << config.error().text;
  return config ? *config : Config{};
}

// Where it listens and what it relays to: "6080,unix:/x -> h:1".
std::string addresses(const Words& words, std::string_view file = "", bool inherited = false) {
  const auto config = combined(words, file, inherited);
  if (!config) return config.error().text;
  std::string text;
  for (const std::string& address : config->listen) text += (text.empty() ? "" : ",") + address;
  text += " -> " + config->target;
  for (const std::string& word : config->wrap) text += "+" + word;
  return text;
}

std::string usage_error(const Words& words, std::string_view file = "", bool inherited = false) {
  const auto config = combined(words, file, inherited);
  if (config) return "accepted";
  EXPECT_EQ(config.error().code, Errc::Usage);
  return config.error().text;
}

std::string file_error(std::string file, const Words& words = {}) {
  const auto config = combined(words, file += "listen = 1\ntarget = t:1\n");
  if (config) return "accepted";
  EXPECT_EQ(config.error().code, Errc::Config);
  return config.error().text;
}

std::string option_error(Words words) {
  words.insert(words.end(), {"6080", "t:1"});
  return usage_error(words);
}

TEST(Addresses, StandInEveryFormOfWebsockifysGrammar) {
  EXPECT_EQ(addresses({"6080", "t:1"}), "6080 -> t:1");
  EXPECT_EQ(addresses({"--unix-target=/t", "h:6080"}), "h:6080 -> unix:/t");
  EXPECT_EQ(addresses({"6080", "--", "cmd", "arg"}), "6080 -> +cmd+arg");
  EXPECT_EQ(addresses({"--unix-listen=/l", "t:1"}), "unix:/l -> t:1");
  EXPECT_EQ(addresses({"--unix-listen=/l", "--", "cmd"}), "unix:/l -> +cmd");
  EXPECT_EQ(addresses({"--unix-listen=/l", "--unix-target=/t"}), "unix:/l -> unix:/t");
  EXPECT_EQ(addresses({"--inetd", "t:1"}), "fd:0 -> t:1");
}

TEST(Addresses, MayBeOptions) {
  EXPECT_EQ(addresses({"--listen=1", "t:1"}), "1 -> t:1");
  EXPECT_EQ(addresses({"--target=t:1", "6080"}), "6080 -> t:1");
  EXPECT_EQ(addresses({"--listen=1", "--target=t:1"}), "1 -> t:1");
  EXPECT_EQ(addresses({"--listen=1", "--inetd", "--unix-listen=/l", "--listen=systemd", "t:1"}),
            "1,systemd,unix:/l,fd:0 -> t:1");
}

TEST(Addresses, ComeFromTheFile) {
  const char* both = "listen = 1\nlisten = 2\ntarget = f:1\n";
  EXPECT_EQ(addresses({}, both), "1,2 -> f:1");
  EXPECT_EQ(addresses({"t:1"}, "listen = 1"), "1 -> t:1");
  EXPECT_EQ(addresses({"6080"}, "target = f:1"), "6080 -> f:1");
  EXPECT_EQ(addresses({"6080"}, "wrap = cmd\nwrap = arg"), "6080 -> +cmd+arg");
  EXPECT_EQ(addresses({}, "unix-listen = /l\nunix-target = /t"), "unix:/l -> unix:/t");
  EXPECT_EQ(addresses({}, "inetd = yes\ntarget = f:1"), "fd:0 -> f:1");
}

TEST(Addresses, OnTheCommandLineReplaceThoseOfTheFile) {
  const char* both = "listen = 1\nlisten = 2\nunix-listen = /l\ninetd = yes\ntarget = f:1\n";
  EXPECT_EQ(addresses({"6080", "t:1"}, both), "6080 -> t:1");
  EXPECT_EQ(addresses({"--listen=3"}, both), "3 -> f:1");
  EXPECT_EQ(addresses({"--inetd"}, both), "fd:0 -> f:1");
  EXPECT_EQ(addresses({"--inetd", "t:1"}, both), "fd:0 -> t:1");
  EXPECT_EQ(addresses({"--target=t:1"}, both), "1,2,unix:/l,fd:0 -> t:1");
  EXPECT_EQ(addresses({"--unix-target=/t"}, "listen = 1\ntarget = f:1"), "1 -> unix:/t");
  EXPECT_EQ(addresses({"--", "cmd"}, "listen = 1\nunix-target = /t"), "1 -> +cmd");
  EXPECT_EQ(addresses({"--target=t:1"}, "listen = 1\nwrap = cmd"), "1 -> t:1");
  EXPECT_EQ(addresses({"6080", "--target=t:1"}, both), "6080 -> t:1");
}

TEST(Addresses, AreTheInheritedSocketsWhenNothingElseIsGiven) {
  EXPECT_EQ(addresses({"t:1"}, "", true), "systemd -> t:1");
  EXPECT_EQ(addresses({}, "target = f:1", true), "systemd -> f:1");
  EXPECT_EQ(addresses({"--", "cmd"}, "", true), "systemd -> +cmd");
  EXPECT_EQ(addresses({"6080", "t:1"}, "", true), "6080 -> t:1");
  EXPECT_EQ(usage_error({}, "", true),
            "expected a target: HOST:PORT, unix:PATH, or a program behind --");
}

TEST(Addresses, WarnOfInheritedSocketsThatNobodyUses) {
  EXPECT_EQ(config_of({"t:1"}, "", true).warnings, List{});
  EXPECT_EQ(config_of({"--listen=systemd", "--listen=1", "t:1"}, "", true).warnings, List{});
  EXPECT_EQ(config_of({"--listen=fd:3", "t:1"}, "", true).warnings, List{});
  EXPECT_EQ(config_of({"6080", "t:1"}, "", true).warnings,
            List{"the sockets that the service manager passes are not used: no address to listen "
                 "on is 'systemd'"});
}

TEST(Addresses, SayWhatIsMissingOrTooMuch) {
  EXPECT_EQ(usage_error({}), "expected [ADDR:]PORT and a target");
  EXPECT_EQ(usage_error({"--target=t:1"}), "expected [ADDR:]PORT to listen on");
  EXPECT_EQ(usage_error({"--inetd"}),
            "expected a target: HOST:PORT, unix:PATH, or a program behind --");
  EXPECT_EQ(usage_error({"6080"}), "expected a target HOST:PORT behind '6080'");
  EXPECT_EQ(usage_error({"1", "t:1", "x"}), "too many arguments: 'x'");
  EXPECT_EQ(usage_error({"--inetd", "t:1", "x"}),
            "too many arguments: 'x': the address to listen on is given already");
  EXPECT_EQ(usage_error({"--unix-target=/t", "1", "t:1"}),
            "too many arguments: 't:1': the target is given already");
  EXPECT_EQ(usage_error({"--listen=1", "--target=t:1", "x"}),
            "too many arguments: 'x': the address to listen on is given already, and the target is "
            "given already");
}

TEST(Addresses, AProgramHasAName) {
  EXPECT_EQ(usage_error({"1", "--", "", "x"}), "-- PROGRAM: the program's name is empty");
  const auto config = combined({}, "listen = 1\nwrap = \"\"\nwrap = x");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Errc::Config);
  EXPECT_EQ(config.error().text, "w.conf:2: wrap: the program's name is empty");
}

TEST(Addresses, OneArgumentIsNotGuessedAt) {
  const std::string question =
      "is 'h:1' the address to listen on or the target? Say --listen or --target";
  EXPECT_EQ(usage_error({"h:1"}, "listen = 1\ntarget = t:1"), question);
  EXPECT_EQ(usage_error({"h:1"}, "target = t:1", true), question);
}

TEST(Addresses, AreCheckedWhereverTheyStand) {
  EXPECT_EQ(usage_error({"--listen=x", "t:1"}),
            "--listen: 'x': the port is not a number from 0 to 65535");
  const std::string path(108, 'x');
  EXPECT_EQ(usage_error({"--unix-listen", path.c_str(), "t:1"}),
            "--unix-listen: 'unix:" + path + "': a Unix socket's path has 1 to 107 bytes");
  EXPECT_EQ(file_error("unix-listen = " + path + "\n"),
            "w.conf:1: unix-listen: 'unix:" + path + "': a Unix socket's path has 1 to 107 bytes");
}

TEST(Combinations, ThatLackSomethingAreRefused) {
  EXPECT_EQ(option_error({"--key=k"}), "--key needs --cert");
  EXPECT_EQ(option_error({"--verify-client"}), "--verify-client needs --ssl-only");
  EXPECT_EQ(option_error({"--verify-client", "--cert=c"}), "--verify-client needs --ssl-only");
  EXPECT_EQ(option_error({"--legacy-syslog"}), "--legacy-syslog needs --syslog");
  EXPECT_EQ(option_error({"--ssl-target-ca=f"}), "--ssl-target-ca needs --ssl-target");
  EXPECT_EQ(option_error({"--ssl-target-pin=f"}), "--ssl-target-pin needs --ssl-target");
  EXPECT_EQ(option_error({"--ssl-target-insecure"}), "--ssl-target-insecure needs --ssl-target");
  EXPECT_EQ(option_error({"--ssl-target-cert=f"}), "--ssl-target-cert needs --ssl-target");
  EXPECT_EQ(option_error({"--ssl-target", "--ssl-target-key=f"}),
            "--ssl-target-key needs --ssl-target-cert");
}

TEST(Combinations, ThatContradictThemselvesAreRefused) {
  EXPECT_EQ(option_error({"--key-password=p", "--key-password-file=f"}),
            "--key-password and --key-password-file exclude each other");
  EXPECT_EQ(option_error({"--ssl-target", "--ssl-target-insecure", "--ssl-target-ca=f"}),
            "--ssl-target-insecure and --ssl-target-ca exclude each other");
  EXPECT_EQ(option_error({"--ssl-target", "--ssl-target-insecure", "--ssl-target-pin=f"}),
            "--ssl-target-insecure and --ssl-target-pin exclude each other");
  EXPECT_EQ(option_error({"--ssl-target", "--ssl-target-pin=p", "--ssl-target-ca=f"}),
            "--ssl-target-pin and --ssl-target-ca exclude each other");
  EXPECT_EQ(option_error({"-Df"}), "--daemon and --foreground exclude each other");
  EXPECT_EQ(option_error({"-D", "--access-log=-"}),
            "--access-log - and --daemon exclude each other: a daemon has no standard output");
  EXPECT_EQ(usage_error({"1", "--target=t:1", "--unix-target=/t"}),
            "--target and --unix-target exclude each other");
  EXPECT_EQ(usage_error({"1", "--target=t:1", "--", "cmd"}),
            "--target and -- PROGRAM exclude each other");
  EXPECT_EQ(usage_error({"1", "--unix-target=/t", "--", "cmd"}),
            "--unix-target and -- PROGRAM exclude each other");
}

TEST(Combinations, InTheFileAreBlamedOnItsLine) {
  EXPECT_EQ(file_error("key = k\n"), "w.conf:1: key needs cert");
  EXPECT_EQ(file_error("web = d\nkey-password = p\nkey-password-file = f\n"),
            "w.conf:3: key-password and key-password-file exclude each other");
  EXPECT_EQ(
      file_error("daemon = yes\naccess-log = -\n"),
      "w.conf:2: access-log - and daemon exclude each other: a daemon has no standard output");
  EXPECT_EQ(file_error("wrap = cmd\n"), "w.conf:1: target and wrap exclude each other");
}

TEST(Combinations, MayBeCompletedOnTheCommandLine) {
  EXPECT_EQ(config_of({"--cert=c"}, "listen = 1\ntarget = t:1\nkey = k").key, List{"k"});
  EXPECT_EQ(usage_error({"--key=k", "1", "t:1"}), "--key needs --cert");
  EXPECT_EQ(config_of({"--key=k", "1", "t:1"}, "cert = c").cert, List{"c"});
}

TEST(Combinations, OfCertificatesAndKeysArePairsOrCertificatesAlone) {
  const Config config = config_of({"1", "t:1"}, "cert = a\nkey = ka\ncert = b\nkey = kb");
  EXPECT_EQ(config.cert, (List{"a", "b"}));
  EXPECT_EQ(config.key, (List{"ka", "kb"}));
  EXPECT_EQ(config_of({"--cert=a", "--cert=b", "1", "t:1"}).key, List{});
  EXPECT_EQ(usage_error({"--cert=a", "--cert=b", "--key=k", "1", "t:1"}),
            "--key: 1 for 2 certificates; give one for each, in the same order, or none");
  EXPECT_EQ(file_error("key = k\nkey = l\ncert = c\n"),
            "w.conf:1: key: 2 for 1 certificates; give one for each, in the same order, or none");
  EXPECT_EQ(usage_error({"--ocsp=o", "1", "t:1"}), "--ocsp needs --cert");
  EXPECT_EQ(usage_error({"--cert=", "1", "t:1"}), "--cert: the value is empty");
}

TEST(Combinations, TheCommandLineWinsOverWhatContradictsItInTheFile) {
  const Config config = config_of({"--key-password-file=f", "-f"},
                                  "listen = 1\ntarget = t:1\nkey-password = p\ndaemon = yes");
  EXPECT_EQ(config.key_password, "");
  EXPECT_EQ(config.key_password_file, "f");
  EXPECT_FALSE(config.daemon);
}

TEST(Combinations, ThatAreHarmlessAreAccepted) {
  const Config config = config_of({"--file-only", "-6", "--wrap-mode=ignore", "1", "t:1"});
  EXPECT_TRUE(config.file_only && config.prefer_ipv6);
  EXPECT_EQ(config.warnings, List{});
}

TEST(Values, OfTheCommandLineWin) {
  const char* file = "listen = 1\ntarget = t:1\nweb = f\nheartbeat = 5\nrun-once = yes\n";
  const Config config = config_of({"--web=c"}, file);
  EXPECT_EQ(config.web, "c");
  EXPECT_EQ(config.heartbeat, std::chrono::seconds(5));
  EXPECT_TRUE(config.run_once);
}

TEST(Values, FollowFromOthers) {
  EXPECT_EQ(config_of({"--ssl-only", "1", "t:1"}).cert, List{"self.pem"});
  EXPECT_EQ(config_of({"1", "t:1"}, "ssl-only = yes\ncert = c").cert, List{"c"});
  EXPECT_EQ(config_of({"-v", "1", "t:1"}).log_level, "debug");
  EXPECT_EQ(config_of({"-v", "--log-level=error", "1", "t:1"}).log_level, "debug");
  EXPECT_EQ(config_of({"1", "t:1"}).log_level, "info");
}

TEST(Warnings, SayWhatToUseInstead) {
  const Config traffic = config_of({"--traffic", "1", "t:1"});
  EXPECT_TRUE(traffic.verbose);
  EXPECT_EQ(traffic.log_level, "debug");
  EXPECT_EQ(traffic.warnings,
            List{"--traffic: single frames are not shown; --verbose is switched on in its place"});
  EXPECT_EQ(config_of({"--libserver", "--auto-pong", "1", "t:1"}).warnings,
            (List{"--libserver: there is one engine only; leave it out",
                  "--auto-pong: pings are always answered; leave it out"}));
  EXPECT_EQ(config_of({"--ssl-version=tlsv1_1", "1", "t:1"}).warnings,
            List{"--ssl-version: TLS 1.1 is broken; every browser since 2014 speaks 1.2"});
  EXPECT_EQ(config_of({"--ssl-version=tlsv1_2", "1", "t:1"}).warnings, List{});
  EXPECT_EQ(config_of({"1", "t:1"}, "web = d\nauto-pong = yes").warnings,
            List{"w.conf:2: auto-pong: pings are always answered; leave it out"});
  EXPECT_EQ(config_of({"1", "t:1"}, "auto-pong = no").warnings, List{});
}

}  // namespace
}  // namespace wsproxy::config
