#include "server/listeners.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "support/fake_clock.h"
#include "support/log_capture.h"

namespace wsproxy::server {
namespace {

class ListenersTest : public testing::Test {
 protected:
  // As the service manager passes it: a listening socket with a number of its own.
  static daemon::PassedSocket passed(const std::string& name = "unknown") {
    auto sockets = io::listen_on({"127.0.0.1", 0});
    return {std::move(sockets->front()), name};
  }

  static bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

  Status open(std::vector<std::string> listen, std::vector<daemon::PassedSocket> sockets) {
    config::Config config;
    config.listen = std::move(listen);
    return listeners_.open(config, std::move(sockets), predecessor_);
  }

  test::FakeClock clock_;
  io::EventLoop loop_{clock_};
  daemon::Predecessor predecessor_;
  Listeners listeners_{loop_, [](const UniqueFd&, const SocketAddress&) {}};
};

TEST_F(ListenersTest, ASocketOfTheServiceManagerByItsNumberStaysOpen) {
  std::vector<daemon::PassedSocket> sockets;
  sockets.push_back(passed());
  const int fd = sockets[0].fd.get();
  ASSERT_TRUE(open({"fd:" + std::to_string(fd)}, std::move(sockets)));
  ASSERT_TRUE(is_open(fd));
  EXPECT_EQ(local_address(fd).port(), listeners_.first_port());
  ASSERT_EQ(listeners_.handed().size(), 1U);
  EXPECT_EQ(listeners_.handed()[0].listen, "fd:" + std::to_string(fd));
  listeners_.stop();
  EXPECT_FALSE(is_open(fd));
}

TEST_F(ListenersTest, SocketsOfTheServiceManagerThatNobodyNamesAreClosedWithAWarning) {
  std::vector<daemon::PassedSocket> sockets(3);
  for (auto& socket : sockets) socket = passed();
  const int used = sockets[1].fd.get();
  const int unused = sockets[2].fd.get();
  const test::LogCapture log;
  ASSERT_TRUE(open({"fd:" + std::to_string(used)}, std::move(sockets)));
  EXPECT_TRUE(is_open(used));
  EXPECT_FALSE(is_open(unused));
  const std::string said = log.take();
  EXPECT_NE(said.find("2 sockets of the service manager not used"), std::string::npos) << said;
}

TEST_F(ListenersTest, NumbersComeFirstAndSystemdTakesTheRest) {
  std::vector<daemon::PassedSocket> sockets;
  sockets.push_back(passed("ws"));
  sockets.push_back(passed("admin"));
  const int first = sockets[0].fd.get();
  const test::LogCapture log;
  ASSERT_TRUE(open({"fd:" + std::to_string(first), "systemd"}, std::move(sockets)));
  ASSERT_EQ(listeners_.handed().size(), 2U);
  EXPECT_EQ(listeners_.handed()[1].name, "admin");
  EXPECT_EQ(log.take(), "");
}

TEST_F(ListenersTest, SystemdWithoutSocketsIsAnError) {
  const Status status = open({"systemd"}, {});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(),
            "--listen systemd: the service manager has passed no sockets");
}

}  // namespace
}  // namespace wsproxy::server
