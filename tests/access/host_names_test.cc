#include "access/host_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

namespace wsproxy::access {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;

bool includes(const HostNames& names, std::string_view host, const char* local = "10.0.0.7") {
  const auto authority = parse_authority(host);
  EXPECT_TRUE(authority) << host;
  return names.includes(*authority, *SocketAddress::numeric(local, 6080));
}

TEST(HostNames, KnowsLocalhostAndTheAddressThatIsConnectedTo) {
  const HostNames names;
  EXPECT_TRUE(includes(names, "LocalHost:6080"));
  EXPECT_TRUE(includes(names, "desk.localhost"));
  EXPECT_TRUE(includes(names, "10.0.0.7:1234"));
  EXPECT_TRUE(includes(names, "10.0.0.7", "::ffff:10.0.0.7"));
  EXPECT_TRUE(includes(names, "[::ffff:10.0.0.7]"));
  EXPECT_TRUE(includes(names, "[2001:db8::7]:6080", "2001:db8::7"));
}

TEST(HostNames, RefusesNamesThatAnybodyCanPointHere) {
  const HostNames names;
  for (const char* host : {"evil.example", "evillocalhost", "localhost.evil.example", "10.0.0.8",
                           "127.0.0.1", "10.0.0.7.evil.example", "[::1]"}) {
    EXPECT_FALSE(includes(names, host)) << host;
  }
}

TEST(HostNames, TakesThoseThatAreGivenAndOurOwn) {
  const auto names = HostNames::make(
      {"Desk.Example.org", "*.lab.example", "192.0.2.1", "2001:db8::1", "[2001:db8::2]"},
      {"box", "not a name", "port:80", "*.own.example"});
  ASSERT_TRUE(names);
  for (const char* host : {"desk.example.org:443", "a.lab.example", "192.0.2.1", "[2001:db8::1]",
                           "[2001:db8::2]", "BOX", "a.own.example"}) {
    EXPECT_TRUE(includes(*names, host)) << host;
  }
  EXPECT_FALSE(includes(*names, "lab.example"));
  EXPECT_FALSE(includes(*names, "example.org"));
  EXPECT_FALSE(includes(*names, "port"));
  EXPECT_FALSE(includes(*names, "own.example"));
}

TEST(HostNames, AStarIsEverything) {
  EXPECT_TRUE(includes(*HostNames::make({"*"}, {}), "evil.example"));
}

TEST(HostNames, NoBrowserGetsToAUnixSocket) {
  EXPECT_TRUE(
      HostNames().includes(*parse_authority("any.example"), *SocketAddress::unix_path("/run/x")));
}

TEST(HostNames, NamesWhatCannotBeAName) {
  for (const char* text : {"", "a b", "desk:6080", "https://desk", "*.", "*.10.0.0.7", "a*"}) {
    const auto names = HostNames::make({text}, {});
    ASSERT_FALSE(names) << text;
    EXPECT_NE(names.error().text.find("'" + std::string(text) + "'"), std::string::npos);
  }
}

TEST(NamesOfMachine, AreTheHostNameAndWhatTheHostsFileCallsIt) {
  const auto names = names_of_machine("box",
                                      "127.0.0.1 localhost\n"
                                      "127.0.1.1\tbox.example.org box  alias # other\n"
                                      "0.0.0.0 evil.example\n"
                                      "# 1.2.3.4 box hidden\n"
                                      "box\n");
  EXPECT_THAT(names, IsSupersetOf({"box", "box.local", "box.example.org", "alias"}));
  for (const char* other : {"evil.example", "other", "hidden", "127.0.1.1", "localhost"}) {
    EXPECT_THAT(names, testing::Not(Contains(other)));
  }
}

TEST(NamesOfMachine, OfAFullNameTheFirstLabelCountsAsWell) {
  EXPECT_THAT(names_of_machine("box.example.org", ""),
              ElementsAre("box.example.org", "box", "box.local"));
}

TEST(NamesOfMachine, WithoutANameThereAreNone) {
  EXPECT_THAT(names_of_machine("", "127.0.0.1 localhost\n"), testing::IsEmpty());
}

TEST(NamesOfMachine, OfThisOneHaveWhatItCallsItself) {
  utsname system{};
  ASSERT_EQ(::uname(&system), 0);
  EXPECT_THAT(names_of_this_machine(), Contains(static_cast<const char*>(system.nodename)));
}

}  // namespace
}  // namespace wsproxy::access
