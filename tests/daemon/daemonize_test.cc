#include "daemon/daemonize.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <sstream>
#include <string>

#include "support/child.h"
#include "support/descriptors.h"

namespace wsproxy::daemon {
namespace {

using test::Pipe;
using test::read_to_end;
using test::write_all;

// A daemon started in a child of the test: `body` runs in the daemon, and its result is the daemon's
// exit status. What it tells comes by `report`; it waits for the test by `wait_for_go`.
class Started {
 public:
  struct Daemon {
    ReadyPipe& pipe;
    int report;
    int go;

    void tell(const std::string& text) const { write_all(report, text + "\n"); }
    // Until the test says so, or is gone.
    void wait_for_go() const {
      char byte = 0;
      (void)!::read(go, &byte, 1);
    }
  };
  using Body = std::function<int(const Daemon&)>;

  explicit Started(const Body& body, const std::function<void()>& before = {}) {
    std::fflush(nullptr);  // or what the test program has printed so far is printed twice
    starter_ = ::fork();
    if (starter_ == 0) {
      output_.from.reset();
      report_.from.reset();
      go_.to.reset();
      ::dup2(output_.to.get(), STDOUT_FILENO);
      ::dup2(output_.to.get(), STDERR_FILENO);
      output_.to.reset();
      // a shell has what it starts in the background ignore SIGINT, and we may be just that
      for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
      if (before) before();
      auto pipe = daemonize();
      if (!pipe) std::abort();
      int status = 0;
      {
        ReadyPipe ready = std::move(*pipe);
        status = body({ready, report_.to.get(), go_.from.get()});
      }
      std::fflush(nullptr);
      ::_exit(status);
    }
    output_.to.reset();
    report_.to.reset();
    go_.from.reset();
  }
  ~Started() {
    go_.to.reset();
    if (starter_ > 0) ::waitpid(starter_, nullptr, 0);
    read_to_end(report_.from.get());  // and the daemon is gone as well
  }
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;

  [[nodiscard]] pid_t pid() const { return starter_; }

  // What was printed until everybody has let go of it.
  [[nodiscard]] std::string output() const { return read_to_end(output_.from.get()); }

  int wait() {
    int status = 0;
    ::waitpid(std::exchange(starter_, -1), &status, 0);
    return status;
  }

  void go() const { write_all(go_.to.get(), "."); }

  // One line that the daemon told; "" when it ended without.
  [[nodiscard]] std::string line() const {
    std::string text;
    char byte = 0;
    while (::read(report_.from.get(), &byte, 1) == 1 && byte != '\n') text += byte;
    return text;
  }

 private:
  Pipe output_ = Pipe::make();
  Pipe report_ = Pipe::make();
  Pipe go_ = Pipe::make();
  pid_t starter_ = -1;
};

int exit_status(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

std::string link_of(int fd) {
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd));
}

TEST(Daemonize, StarterEndsWithZeroWhenTheDaemonIsReady) {
  Started started([](const Started::Daemon& daemon) {
    daemon.wait_for_go();
    if (!daemon.pipe.ready()) return 5;
    daemon.tell("ready");
    daemon.wait_for_go();
    daemon.tell("alive");
    return 0;
  });
  int status = 0;
  EXPECT_EQ(::waitpid(started.pid(), &status, WNOHANG), 0) << "before ready() it waits";
  started.go();
  EXPECT_EQ(started.wait(), 0);
  EXPECT_EQ(started.output(), "") << "and nobody holds its output any more";
  EXPECT_EQ(started.line(), "ready");
  started.go();
  EXPECT_EQ(started.line(), "alive");
}

TEST(Daemonize, DaemonHasNoTerminalAndIsNobodysChild) {
  Started started([](const Started::Daemon& daemon) {
    std::ostringstream text;
    text << (::getsid(0) != ::getpid()) << (::getpgrp() == ::getsid(0))
         << (::open("/dev/tty", O_RDWR | O_CLOEXEC) < 0);
    daemon.tell(text.str());
    daemon.tell(std::to_string(::getsid(0)));
    return daemon.pipe.ready() ? 0 : 5;
  });
  EXPECT_EQ(started.line(), "111") << "no leader, in its session's group, no terminal";
  EXPECT_NE(started.line(), std::to_string(::getsid(0)));
  EXPECT_EQ(started.wait(), 0);
}

TEST(Daemonize, DirectoryAndDescriptorsStayUntilReady) {
  const std::string here = std::filesystem::current_path();
  Started started([](const Started::Daemon& daemon) {
    daemon.tell(std::filesystem::current_path());
    const std::string output = link_of(1);
    daemon.tell(output.starts_with("pipe:") ? "pipe" : output);
    if (!daemon.pipe.ready()) return 5;
    daemon.tell(std::filesystem::current_path());
    daemon.tell(link_of(0) + " " + link_of(1) + " " + link_of(2));
    return 0;
  });
  EXPECT_EQ(started.line(), here);
  EXPECT_EQ(started.line(), "pipe");
  EXPECT_EQ(started.line(), "/");
  EXPECT_EQ(started.line(), "/dev/null /dev/null /dev/null");
  EXPECT_EQ(started.wait(), 0);
}

TEST(Daemonize, FilesAreTheDaemonsAlone) {
  Started started([](const Started::Daemon& daemon) {
    daemon.tell(::umask(0) == 0077 ? "0077" : "another");
    return daemon.pipe.ready() ? 0 : 5;
  });
  EXPECT_EQ(started.line(), "0077");
}

TEST(Daemonize, LeavesNothingToProgramsThatAreRun) {
  const auto of_the_test = test::inheritable_descriptors();
  Started started([&](const Started::Daemon& daemon) {
    daemon.tell(test::inheritable_descriptors() == of_the_test ? "nothing" : "something");
    const bool ready = daemon.pipe.ready().has_value();
    daemon.tell(test::inheritable_descriptors() == of_the_test ? "nothing" : "something");
    return ready ? 0 : 5;
  });
  EXPECT_EQ(started.line(), "nothing");
  EXPECT_EQ(started.line(), "nothing");
}

TEST(Daemonize, StatusAndWordsOfADaemonThatCannotStartArePassedOn) {
  Started started([](const Started::Daemon&) {
    std::fputs("wsproxy: cannot listen\n", stderr);
    return 78;
  });
  EXPECT_EQ(exit_status(started.wait()), 78);
  EXPECT_EQ(started.output(), "wsproxy: cannot listen\n");
}

TEST(Daemonize, EndingWithZeroBeforeReadyIsAFailureToo) {
  Started started([](const Started::Daemon&) { return 0; });
  EXPECT_EQ(exit_status(started.wait()), 1);
  EXPECT_EQ(started.output(), "wsproxy: the daemon ended before it was ready\n");
}

TEST(Daemonize, KilledBeforeReadyIsSaid) {
  Started started([](const Started::Daemon&) {
    ::raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(exit_status(started.wait()), 1);
  EXPECT_EQ(started.output(),
            "wsproxy: the daemon was ended by signal 9 (Killed) before it was ready\n");
}

TEST(Daemonize, AParentThatIgnoresItsChildrenChangesNothing) {
  Started started([](const Started::Daemon&) { return 7; }, [] { ::signal(SIGCHLD, SIG_IGN); });
  EXPECT_EQ(exit_status(started.wait()), 7);
}

TEST(Daemonize, ASignalToTheStarterEndsTheDaemonAndThenTheStarter) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    Started started([](const Started::Daemon& daemon) {
      daemon.tell("started");
      daemon.wait_for_go();
      daemon.tell("went on");
      return 0;
    });
    EXPECT_EQ(started.line(), "started");
    ASSERT_EQ(::kill(started.pid(), number), 0);
    const int status = started.wait();
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == number) << status;
    EXPECT_EQ(started.line(), "") << "nobody is left to tell anything";
  }
}

TEST(Daemonize, ASecondSignalEndsADaemonThatDoesNotListen) {
  Started started([](const Started::Daemon& daemon) {
    ::signal(SIGTERM, SIG_IGN);
    daemon.tell("started");
    daemon.wait_for_go();
    return 0;
  });
  EXPECT_EQ(started.line(), "started");
  ASSERT_EQ(::kill(started.pid(), SIGTERM), 0);
  ASSERT_EQ(::kill(started.pid(), SIGINT), 0);
  EXPECT_TRUE(WIFSIGNALED(started.wait()));
  EXPECT_EQ(started.line(), "");
}

TEST(Daemonize, ReadyAfterASignalIsTooLate) {
  Started started([](const Started::Daemon& daemon) {
    ::signal(SIGTERM, SIG_IGN);
    daemon.tell("started");
    daemon.wait_for_go();
    (void)daemon.pipe.ready();
    return 0;
  });
  EXPECT_EQ(started.line(), "started");
  ASSERT_EQ(::kill(started.pid(), SIGTERM), 0);
  started.go();
  const int status = started.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) << status;
}

TEST(Daemonize, AnIgnoredHangUpStaysIgnored) {
  Started started(
      [](const Started::Daemon& daemon) {
        daemon.tell("started");
        daemon.wait_for_go();
        return daemon.pipe.ready() ? 0 : 5;
      },
      [] { ::signal(SIGHUP, SIG_IGN); });
  EXPECT_EQ(started.line(), "started");
  ASSERT_EQ(::kill(started.pid(), SIGHUP), 0);
  started.go();
  EXPECT_EQ(started.wait(), 0);
}

TEST(Daemonize, SignalsReachTheDaemonAsBefore) {
  Started started([](const Started::Daemon& daemon) {
    sigset_t blocked;
    ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
    std::string text;
    for (const int number : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) {
      if (::sigismember(&blocked, number) == 1) text += std::to_string(number) + " ";
    }
    daemon.tell("blocked: " + text);
    return daemon.pipe.ready() ? 0 : 5;
  });
  EXPECT_EQ(started.line(), "blocked: ");
}

TEST(Daemonize, ReadyFailsWhenTheStarterIsGone) {
  Started started([](const Started::Daemon& daemon) {
    daemon.tell("started");
    daemon.wait_for_go();
    const auto ready = daemon.pipe.ready();
    daemon.tell(ready ? "ready" : ready.error().message());
    return 0;
  });
  EXPECT_EQ(started.line(), "started");
  ASSERT_EQ(::kill(started.pid(), SIGKILL), 0);
  EXPECT_EQ(started.wait(), SIGKILL);
  started.go();
  EXPECT_TRUE(started.line().starts_with("the process that started the daemon is gone: "));
}

TEST(ReadyPipe, InTheForegroundDoesNothing) {
  const std::string here = std::filesystem::current_path();
  ReadyPipe pipe;
  EXPECT_FALSE(pipe.in_background());
  EXPECT_TRUE(pipe.ready());
  EXPECT_EQ(std::filesystem::current_path(), here);
}

}  // namespace
}  // namespace wsproxy::daemon
