#include "daemon/hardening.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <string>

#include "support/child.h"
#include "support/descriptors.h"

namespace wsproxy::daemon {
namespace {

using test::in_child;

TEST(ForbidCoreDumps, LeavesNoLimitToRaise) {
  EXPECT_EQ(in_child([] {
              if (auto done = forbid_core_dumps(); !done) return done.error().message();
              rlimit limit{};
              ::getrlimit(RLIMIT_CORE, &limit);
              return std::to_string(limit.rlim_cur) + " " + std::to_string(limit.rlim_max);
            }),
            "0 0");
}

TEST(ForbidTracing, MakesTheProcessUndumpable) {
  EXPECT_EQ(in_child([] {
              if (auto done = forbid_tracing(); !done) return done.error().message();
              return std::to_string(::prctl(PR_GET_DUMPABLE));
            }),
            "0");
}

TEST(PassOnNoDescriptors, MarksWhatWeWereStartedWithAndKeepsItOpen) {
  EXPECT_EQ(in_child([] {
              if (::dup2(STDERR_FILENO, 60) < 0 || ::dup2(STDERR_FILENO, 3) < 0) {
                return std::string("dup2");
              }
              if (auto done = pass_on_no_descriptors(); !done) return done.error().message();
              std::string text = std::to_string(test::inheritable_descriptors().size());
              if (::fcntl(60, F_GETFD) >= 0) text += " open";
              if ((::fcntl(STDERR_FILENO, F_GETFD) & FD_CLOEXEC) == 0)
                text += ", stderr is passed on";
              return text;
            }),
            "0 open, stderr is passed on");
}

TEST(RaiseDescriptorLimit, GoesUpToTheHardLimit) {
  EXPECT_EQ(in_child([] {
              const rlimit small{100, 200};
              ::setrlimit(RLIMIT_NOFILE, &small);
              const auto now = raise_descriptor_limit();
              if (!now) return now.error().message();
              rlimit limit{};
              ::getrlimit(RLIMIT_NOFILE, &limit);
              return std::to_string(*now) + " " + std::to_string(limit.rlim_cur);
            }),
            "200 200");
}

TEST(MaxSessionsFor, TakesTwoDescriptorsEachAndLeavesSixtyFour) {
  EXPECT_EQ(max_sessions_for(1024), 480U);
  EXPECT_EQ(max_sessions_for(67), 1U);
  EXPECT_EQ(max_sessions_for(66), 1U);
  EXPECT_EQ(max_sessions_for(65), 0U);
  EXPECT_EQ(max_sessions_for(64), 0U);
  EXPECT_EQ(max_sessions_for(0), 0U);
  EXPECT_EQ(max_sessions_for(RLIM_INFINITY), (RLIM_INFINITY - 64) / 2);
}

TEST(SessionLimit, IsWhatIsWantedOrAllThatFit) {
  EXPECT_EQ(session_limit(0, 1024).value(), 480U);
  EXPECT_EQ(session_limit(1, 1024).value(), 1U);
  EXPECT_EQ(session_limit(480, 1024).value(), 480U);
}

TEST(SessionLimit, RefusesMoreThanFitAndSaysWhatToDo) {
  const auto limit = session_limit(481, 1024);
  ASSERT_FALSE(limit);
  const std::string text = limit.error().message();
  for (const char* piece : {"--max-sessions", "481", "1024", "480", "LimitNOFILE", "ulimit -n"}) {
    EXPECT_NE(text.find(piece), std::string::npos) << piece << " in: " << text;
  }
}

TEST(SessionLimit, RefusesToRunWithoutRoomForOne) {
  ASSERT_FALSE(session_limit(0, 65));
  EXPECT_NE(session_limit(0, 65).error().message().find("65 descriptors"), std::string::npos);
}

TEST(HideArgument, OverwritesTheSecretAndNothingElse) {
  std::array<std::string, 7> text = {
      "wsproxy",       "--key-password", "sesame", "--key-password=sesame",
      "--web=/sesame", "sesames",        "=sesame"};
  std::array<const char*, 7> arguments{};
  for (std::size_t i = 0; i < text.size(); ++i) arguments[i] = text[i].data();
  hide_argument(arguments, "sesame");
  const std::string nothing(5, '\0');
  EXPECT_EQ(text[0], "wsproxy");
  EXPECT_EQ(text[1], "--key-password");
  EXPECT_EQ(text[2], "x" + nothing);
  EXPECT_EQ(text[3], "--key-password=x" + nothing);
  EXPECT_EQ(text[4], "--web=/sesame");
  EXPECT_EQ(text[5], "sesames");
  EXPECT_EQ(text[6], "=x" + nothing);
}

TEST(HideArgument, TakesASecretThatPointsIntoTheArguments) {
  std::array<std::string, 2> text = {"--key-password=abc", "abc"};
  const std::array<const char*, 2> arguments = {text[0].data(), text[1].data()};
  hide_argument(arguments, std::string_view(text[0]).substr(15));
  EXPECT_STREQ(arguments[0], "--key-password=x");
  EXPECT_STREQ(arguments[1], "x");
}

TEST(HideArgument, NoSecretHidesNothing) {
  std::array<std::string, 2> text = {"", "--key-password="};
  const std::array<const char*, 2> arguments = {text[0].data(), text[1].data()};
  hide_argument(arguments, "");
  EXPECT_STREQ(arguments[1], "--key-password=");
}

}  // namespace
}  // namespace wsproxy::daemon
