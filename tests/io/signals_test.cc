#include "io/signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "support/fake_clock.h"

namespace wsproxy::io {
namespace {

// Puts the signal mask and the fate of SIGPIPE back as they were.
class KeptSignals {
 public:
  KeptSignals() {
    ::sigprocmask(SIG_SETMASK, nullptr, &mask_);
    ::sigaction(SIGPIPE, nullptr, &pipe_);
  }
  ~KeptSignals() {
    ::sigprocmask(SIG_SETMASK, &mask_, nullptr);
    ::sigaction(SIGPIPE, &pipe_, nullptr);
  }
  KeptSignals(const KeptSignals&) = delete;
  KeptSignals& operator=(const KeptSignals&) = delete;

 private:
  sigset_t mask_{};
  struct sigaction pipe_{};
};

TEST(Signals, AreReportedFromTheLoop) {
  const KeptSignals kept;
  const test::FakeClock clock;
  EventLoop loop(clock);
  std::vector<int> seen;
  const Signals signals(loop, {SIGUSR1, SIGUSR2}, [&](int signal) { seen.push_back(signal); });
  ::kill(::getpid(), SIGUSR1);
  EXPECT_TRUE(seen.empty()) << "not from a signal handler";
  loop.turn(std::chrono::seconds(10));
  EXPECT_EQ(seen, std::vector{SIGUSR1});
  ::kill(::getpid(), SIGUSR2);
  loop.turn(std::chrono::seconds(10));
  EXPECT_EQ(seen, (std::vector{SIGUSR1, SIGUSR2}));
}

TEST(Signals, ThatWereHeldBackAreReportedThen) {
  const KeptSignals kept;
  hold_signals({SIGUSR1});
  ::kill(::getpid(), SIGUSR1);  // would end us
  const test::FakeClock clock;
  EventLoop loop(clock);
  std::vector<int> seen;
  const Signals signals(loop, {SIGUSR1}, [&](int signal) { seen.push_back(signal); });
  loop.turn(std::chrono::seconds(10));
  EXPECT_EQ(seen, std::vector{SIGUSR1});
}

TEST(Signals, IgnoreSigpipe) {
  const KeptSignals kept;
  const test::FakeClock clock;
  EventLoop loop(clock);
  const Signals signals(loop, {SIGUSR1}, [](int) {});
  struct sigaction action{};
  ::sigaction(SIGPIPE, nullptr, &action);
  EXPECT_EQ(action.sa_handler, SIG_IGN);
}

}  // namespace
}  // namespace wsproxy::io
