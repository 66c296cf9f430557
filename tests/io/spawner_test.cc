#include "io/spawner.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include "support/child.h"

namespace wsproxy::io {
namespace {

// A process that writes what it finds to the first descriptor of its order.
void describe(const Spawner::Order& order) {
  const bool ours = ::getppid() == order.daemon;
  test::write_all(order.fds.at(0).get(), (ours ? "ours " : "somebody's ") + order.text + " " +
                                             std::to_string(order.fds.size()));
  ::_exit(42);
}

class SpawnerTest : public testing::TestWithParam<bool> {
 protected:
  // The job's own words and how it ended.
  std::string outcome(std::size_t job, std::string_view text) {
    test::Pipe pipe = test::Pipe::make();
    const auto pid =
        spawner_.spawn(job, std::array{pipe.to.get(), pipe.from.get(), STDERR_FILENO}, text);
    if (!pid) return pid.error().message();
    pipe.to.reset();
    const std::string said = test::read_to_end(pipe.from.get());
    int status = 0;
    if (::waitpid(*pid, &status, 0) != *pid) return said + ", and no child of ours";
    return said + ", " + std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  }

  void start_if_wanted() {
    const Status started = GetParam() ? spawner_.start({}) : Status();
    ASSERT_TRUE(started) << started.error().message();
  }

  Spawner spawner_;
};

TEST_P(SpawnerTest, StartsOurOwnChildWithDescriptorsAndText) {
  const std::size_t job = spawner_.add(describe);
  start_if_wanted();
  EXPECT_EQ(outcome(job, "hello"), "ours hello 3, 42");
  EXPECT_EQ(outcome(job, ""), "ours  3, 42");
}

TEST_P(SpawnerTest, TellsJobsApart) {
  spawner_.add([](const Spawner::Order&) { ::_exit(1); });
  const std::size_t second = spawner_.add([](const Spawner::Order&) { ::_exit(2); });
  start_if_wanted();
  EXPECT_EQ(outcome(second, "x"), ", 2");
}

TEST_P(SpawnerTest, AJobThatComesBackHasFailed) {
  const std::size_t job = spawner_.add([](const Spawner::Order&) {});
  start_if_wanted();
  EXPECT_EQ(outcome(job, ""), ", 127");
}

TEST_P(SpawnerTest, SignalsAreAsTheyWere) {
  const std::size_t job = spawner_.add([](const Spawner::Order& order) {
    struct sigaction action{};
    ::sigaction(SIGTERM, nullptr, &action);
    test::write_all(order.fds[0].get(), action.sa_handler == SIG_DFL ? "default" : "changed");
    ::_exit(0);
  });
  struct sigaction before{};
  struct sigaction usual{};
  usual.sa_handler = SIG_DFL;
  ::sigaction(SIGTERM, &usual, &before);
  start_if_wanted();
  EXPECT_EQ(outcome(job, ""), "default, 0");
  ::sigaction(SIGTERM, &before, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Both, SpawnerTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Started" : "ByItself"; });

TEST(Spawner, HoldsNothingOfOurs) {
  test::Pipe pipe = test::Pipe::make();
  Spawner spawner;
  spawner.add(describe);
  ASSERT_TRUE(spawner.start({}));
  pipe.to.reset();
  EXPECT_EQ(test::read_to_end(pipe.from.get()), "") << "somebody else holds the pipe open";
}

TEST(Spawner, SaysThatItCouldNotBegin) {
  Spawner spawner;
  EXPECT_FALSE(spawner.start([] { return Status(fail(Errc::Io, "no")); }));
}

TEST(Spawner, SaysThatItIsGone) {
  Spawner spawner;
  const std::size_t job = spawner.add(describe);
  ASSERT_TRUE(spawner.start({}));
  ::kill(spawner.pid(), SIGKILL);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(spawner.pid()), &info, WEXITED | WNOWAIT), 0);
  const auto pid = spawner.spawn(job, {});
  ASSERT_FALSE(pid);
  EXPECT_NE(pid.error().message().find("the process that starts others is gone"),
            std::string::npos);
}

TEST(Spawner, EndsWithTheDaemon) {
  test::Pipe pipe = test::Pipe::make();
  // a daemon that is killed: only the pipe tells when its starter has gone too
  const std::string text = test::in_child([&] {
    Spawner spawner;
    spawner.add(describe);
    if (!spawner.start({})) return std::string("not started");
    return std::to_string(spawner.pid());
  });
  const pid_t pid = std::stoi(text);
  const auto end = ::time(nullptr) + 30;
  while (::kill(pid, 0) == 0 && ::time(nullptr) < end) ::usleep(1000);
  EXPECT_NE(::kill(pid, 0), 0);
}

}  // namespace
}  // namespace wsproxy::io
