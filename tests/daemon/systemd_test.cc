#include "daemon/systemd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/descriptors.h"
#include "support/fake_clock.h"
#include "support/log_capture.h"
#include "support/temp_dir.h"

namespace wsproxy::daemon {
namespace {

using std::chrono::seconds;
using test::FakeClock;
using test::in_child;
using test::TempDir;

bool has(const std::string& text, const std::string& piece) {
  return text.find(piece) != std::string::npos;
}

// ---- sockets

#ifdef WSPROXY_SYSTEMD

// As another program would hand it over: blocking, and kept across exec.
UniqueFd foreign_listener() {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 ||
      ::listen(fd.get(), 5) != 0) {
    ADD_FAILURE() << "cannot listen";
  }
  return fd;
}

// Runs `body` with `sockets` from descriptor 3 on, and the environment that announces them.
std::string with_passed(const std::vector<int>& sockets, const std::string& names,
                        const std::function<std::string()>& body, pid_t pid_offset = 0) {
  return in_child([&] {
    std::vector<int> high;
    high.reserve(sockets.size());
    for (const int fd : sockets) high.push_back(::fcntl(fd, F_DUPFD, 50));
    for (std::size_t i = 0; i < high.size(); ++i) {
      ::dup2(high[i], static_cast<int>(3 + i));
      ::close(high[i]);
    }
    ::setenv("LISTEN_PID", std::to_string(::getpid() + pid_offset).c_str(), 1);
    ::setenv("LISTEN_FDS", std::to_string(sockets.size()).c_str(), 1);
    if (!names.empty()) ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
    return body();
  });
}

std::string describe(const Result<std::vector<PassedSocket>>& sockets) {
  if (!sockets) return sockets.error().message();
  std::string text;
  for (const auto& [fd, name] : *sockets) {
    const bool cloexec = (::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0;
    const bool nonblocking = (::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) != 0;
    text += std::to_string(fd.get()) + "=" + name + (cloexec ? " cloexec" : "") +
            (nonblocking ? " nonblock" : "") + "; ";
  }
  return text;
}

TEST(PassedSockets, ComeInOrderWithNamesAndFlags) {
  const UniqueFd first = foreign_listener();
  const UniqueFd second = foreign_listener();
  EXPECT_EQ(with_passed({first.get(), second.get()}, "ws:admin",
                        [] { return describe(passed_sockets()); }),
            "3=ws cloexec nonblock; 4=admin cloexec nonblock; ");
}

TEST(PassedSockets, WithoutNamesAreUnknown) {
  const UniqueFd listener = foreign_listener();
  EXPECT_EQ(with_passed({listener.get()}, "", [] { return describe(passed_sockets()); }),
            "3=unknown cloexec nonblock; ");
}

TEST(PassedSockets, ForAnotherProcessAreLeftAlone) {
  const UniqueFd listener = foreign_listener();
  EXPECT_EQ(with_passed(
                {listener.get()}, "ws", [] { return "none:" + describe(passed_sockets()); }, 1),
            "none:");
}

TEST(PassedSockets, NobodyPassedAny) {
  EXPECT_EQ(in_child([] {
              ::unsetenv("LISTEN_FDS");
              return "none:" + describe(passed_sockets());
            }),
            "none:");
}

TEST(PassedSockets, EnvironmentNamesThemNoLonger) {
  const UniqueFd listener = foreign_listener();
  EXPECT_EQ(with_passed({listener.get()}, "ws",
                        [] {
                          const auto sockets = passed_sockets();
                          std::string left;
                          for (const char* name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}) {
                            if (::getenv(name) != nullptr) left += name;
                          }
                          return "left:" + left;
                        }),
            "left:");
}

TEST(PassedSockets, WhatDoesNotListenIsRefusedByName) {
  const UniqueFd connected(::socket(AF_INET, SOCK_STREAM, 0));
  const UniqueFd datagram(::socket(AF_INET, SOCK_DGRAM, 0));
  const test::Pipe pipe = test::Pipe::make();
  for (const int fd : {connected.get(), datagram.get(), pipe.from.get()}) {
    const std::string text = with_passed({fd}, "ws", [] { return describe(passed_sockets()); });
    EXPECT_TRUE(has(text, "socket 'ws' from the service manager: descriptor 3 is ")) << text;
  }
}

#endif

// ---- notifications

// The service manager's end.
class FakeManager {
 public:
  explicit FakeManager(const std::string& name)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    const bool abstract = name[0] == '@';
    if (abstract) address.sun_path[0] = '\0';
    const auto length = offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address),
                     static_cast<socklen_t>(length)),
              0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~FakeManager() { ::unsetenv("NOTIFY_SOCKET"); }
  FakeManager(const FakeManager&) = delete;
  FakeManager& operator=(const FakeManager&) = delete;

  // The next datagram, or "" when there is none.
  [[nodiscard]] std::string take() const {
    std::array<char, 4096> block{};
    const ssize_t n = ::recv(socket_.get(), block.data(), block.size(), 0);
    return {block.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
  }

 private:
  UniqueFd socket_;
};

std::string abstract_name() { return "@wsproxy-test-" + std::to_string(::getpid()); }

Notifier connected() {
  auto notifier = Notifier::from_environment();
  if (notifier) return std::move(*notifier);
  ADD_FAILURE() << notifier.error().message();
  return {};
}

TEST(Notifier, TellsEachStateInItsWords) {
  const TempDir dir;
  const FakeManager manager((dir / "notify"));
  Notifier notifier = connected();
  EXPECT_TRUE(notifier.active());
  notifier.ready();
  EXPECT_EQ(manager.take(), "READY=1");
  notifier.ready("0 sessions");
  EXPECT_EQ(manager.take(), "READY=1\nSTATUS=0 sessions");
  notifier.stopping();
  EXPECT_EQ(manager.take(), "STOPPING=1");
  notifier.status("12 sessions, 3 draining");
  EXPECT_EQ(manager.take(), "STATUS=12 sessions, 3 draining");
  notifier.extend_timeout(seconds(10));
  EXPECT_EQ(manager.take(), "EXTEND_TIMEOUT_USEC=10000000");
  notifier.alive();
  EXPECT_EQ(manager.take(), "WATCHDOG=1");
}

TEST(Notifier, ReloadingCarriesTheMonotonicClock) {
  const FakeManager manager(abstract_name());
  Notifier notifier = connected();
  const auto usec = [] {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  const auto before = usec();
  notifier.reloading();
  const auto after = usec();
  const std::string text = manager.take();
  const std::string head = "RELOADING=1\nMONOTONIC_USEC=";
  ASSERT_TRUE(text.starts_with(head)) << text;
  const long long told = std::stoll(text.substr(head.size()));
  EXPECT_GE(told, before);
  EXPECT_LE(told, after);
}

TEST(Notifier, ReachesAbstractNames) {
  const FakeManager manager(abstract_name());
  connected().ready();
  EXPECT_EQ(manager.take(), "READY=1");
}

TEST(Notifier, TellsThePidOfADaemonThatForked) {
  const FakeManager manager(abstract_name());
  Notifier notifier = connected();
  const std::string pid = in_child([&] {
    notifier.ready("on");
    return std::to_string(::getpid());
  });
  EXPECT_EQ(manager.take(), "READY=1\nMAINPID=" + pid + "\nSTATUS=on");
}

TEST(Notifier, AStatusIsOneLine) {
  const FakeManager manager(abstract_name());
  Notifier notifier = connected();
  notifier.status("a\nREADY=1\x7f");
  EXPECT_EQ(manager.take(), "STATUS=a READY=1 ");
}

TEST(Notifier, ChildrenDoNotInheritTheSocket) {
  const FakeManager manager(abstract_name());
  const auto before = test::inheritable_descriptors();
  const Notifier notifier = connected();
  EXPECT_EQ(::getenv("NOTIFY_SOCKET"), nullptr);
  EXPECT_EQ(test::inheritable_descriptors(), before);
}

TEST(Notifier, WithoutAManagerNothingHappens) {
  ::unsetenv("NOTIFY_SOCKET");
  Notifier notifier = connected();
  EXPECT_FALSE(notifier.active());
  notifier.ready();
  notifier.reloading();
  notifier.alive();
}

TEST(Notifier, RefusesANameThatNobodyCanReach) {
  const TempDir dir;
  for (const std::string& name : {std::string("relative"), std::string("@"),
                                  "/" + std::string(200, 'x'), (dir / "missing")}) {
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    const auto notifier = Notifier::from_environment();
    EXPECT_FALSE(notifier) << name;
    EXPECT_EQ(::getenv("NOTIFY_SOCKET"), nullptr);
  }
}

TEST(Notifier, NeverBlocksOnAManagerThatDoesNotRead) {
  test::LogCapture log;
  const FakeManager manager(abstract_name());
  Notifier notifier = connected();
  for (int i = 0; i < 10'000; ++i) notifier.alive();  // far more than a queue holds
  const std::string said = log.take();
  EXPECT_TRUE(has(said, "service manager")) << said;
  EXPECT_EQ(said.find('\n'), said.size() - 1) << "said once: " << said;
  // once there is room again, it goes on
  while (!manager.take().empty()) {
  }
  notifier.stopping();
  EXPECT_EQ(manager.take(), "STOPPING=1");
}

TEST(Watchdog, SpeaksTwicePerIntervalFromTheLoop) {
  const FakeManager manager(abstract_name());
  Notifier notifier = connected();
  FakeClock clock;
  io::EventLoop loop(clock);
  const Watchdog watchdog(loop, notifier, seconds(10));
  EXPECT_EQ(manager.take(), "WATCHDOG=1") << "at once";
  for (int i = 0; i < 3; ++i) {
    clock.advance(std::chrono::milliseconds(4999));
    loop.turn({});
    EXPECT_EQ(manager.take(), "");
    clock.advance(std::chrono::milliseconds(1));
    loop.turn({});
    EXPECT_EQ(manager.take(), "WATCHDOG=1");
  }
}

#ifdef WSPROXY_SYSTEMD

TEST(WatchdogInterval, IsReadOnceAndOnlyWhenItIsForUs) {
  EXPECT_EQ(in_child([] {
              const auto text = [] {
                const auto interval = watchdog_interval();
                return interval ? std::to_string(interval->count()) + " " : std::string("none ");
              };
              std::string all = text();
              ::setenv("WATCHDOG_USEC", "3000000", 1);
              all += text();
              all += text();
              ::setenv("WATCHDOG_USEC", "3000000", 1);
              ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
              all += text();
              ::setenv("WATCHDOG_USEC", "3000000", 1);
              ::setenv("WATCHDOG_PID", "1", 1);
              all += text();
              ::setenv("WATCHDOG_USEC", "soon", 1);
              return all + text();
            }),
            "none 3000000 none 3000000 none none ");
}

#endif

}  // namespace
}  // namespace wsproxy::daemon
