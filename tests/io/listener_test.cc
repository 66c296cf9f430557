#include "io/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/log.h"
#include "support/fake_clock.h"

namespace wsproxy::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeClock;

UniqueFd listening() {
  auto sockets = listen_on({"127.0.0.1", 0});
  if (!sockets) {
    ADD_FAILURE() << sockets.error().message();
    return UniqueFd();
  }
  EXPECT_EQ(sockets->size(), 1U);
  return std::move(sockets->front());
}

// A connection to a local address; empty when it is refused.
UniqueFd connect_to(const SocketAddress& address) {
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), address.get(), address.length()) != 0) return UniqueFd();
  return fd;
}

TEST(ListenOn, GivesASocketThatIsListening) {
  const UniqueFd socket = listening();
  ASSERT_TRUE(socket);
  EXPECT_NE(::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(::fcntl(socket.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(local_address(socket.get()).port(), 0);
  EXPECT_TRUE(connect_to(local_address(socket.get())));
}

TEST(ListenOn, WithoutHostTakesBothFamilies) {
  const auto sockets = listen_on({"", 0});
  ASSERT_TRUE(sockets) << sockets.error().message();
  ASSERT_EQ(sockets->size(), 1U);
  const SocketAddress address = local_address(sockets->front().get());
  EXPECT_TRUE(address.is_wildcard());
  EXPECT_TRUE(connect_to(*SocketAddress::numeric("127.0.0.1", address.port())));
  if (address.family() == AF_INET6) {
    EXPECT_TRUE(connect_to(*SocketAddress::numeric("::1", address.port())));
  }
}

TEST(ListenOn, ANameGetsASocketForEachAddressWithOnePort) {
  const auto sockets = listen_on({"localhost", 0});
  ASSERT_TRUE(sockets) << sockets.error().message();
  ASSERT_FALSE(sockets->empty());
  const std::uint16_t port = local_address(sockets->front().get()).port();
  EXPECT_NE(port, 0);
  for (const UniqueFd& socket : *sockets) {
    EXPECT_EQ(local_address(socket.get()).port(), port);
    EXPECT_TRUE(connect_to(local_address(socket.get())));
  }
}

TEST(ListenOn, AnAddressInUseIsNamed) {
  const UniqueFd socket = listening();
  const std::uint16_t port = local_address(socket.get()).port();
  const auto second = listen_on({"127.0.0.1", port});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::Io);
  EXPECT_EQ(second.error().sys, EADDRINUSE);
  EXPECT_EQ(second.error().message(),
            "cannot listen on 127.0.0.1:" + std::to_string(port) + ": address already in use");
}

TEST(ListenOn, ASharedPortIsForThoseWhoShareIt) {
  const auto first = listen_on({"127.0.0.1", 0}, Sharing::Shared);
  ASSERT_TRUE(first) << first.error().message();
  const std::uint16_t port = local_address(first->front().get()).port();
  const auto second = listen_on({"127.0.0.1", port}, Sharing::Shared);
  EXPECT_TRUE(second) << second.error().message();
  const auto third = listen_on({"127.0.0.1", port});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().sys, EADDRINUSE);
}

TEST(ListenOn, APortThatIsNotSharedIsNotTaken) {
  const UniqueFd socket = listening();
  const auto second = listen_on({"127.0.0.1", local_address(socket.get()).port()}, Sharing::Shared);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().sys, EADDRINUSE);
}

TEST(ListenOn, AnAddressThatIsNotOursIsNamed) {
  const auto sockets = listen_on({"203.0.113.7", 0});  // RFC 5737: nobody's
  ASSERT_FALSE(sockets);
  EXPECT_EQ(sockets.error().message(),
            "cannot listen on 203.0.113.7:0: cannot assign requested address");
}

TEST(ListenOn, AnUnknownNameIsNamed) {
  // a label of over 63 bytes cannot exist: no server has to be asked
  const std::string name(70, 'x');
  const auto sockets = listen_on({name, 0});
  ASSERT_FALSE(sockets);
  EXPECT_EQ(sockets.error().code, Errc::NotFound);
  EXPECT_TRUE(sockets.error().text.starts_with("cannot listen on " + name + ": "));
}

// --- Unix sockets ---

class ListenOnUnix : public testing::Test {
 public:
  ~ListenOnUnix() override { std::filesystem::remove_all(directory_); }

 protected:
  ListenOnUnix() { std::filesystem::create_directory(directory_); }

  [[nodiscard]] UniqueFd connect() const { return connect_to(*SocketAddress::unix_path(path_)); }
  [[nodiscard]] bool exists() const {
    return std::filesystem::exists(std::filesystem::symlink_status(path_));
  }
  // What listening comes to, as an operator reads it.
  [[nodiscard]] std::string outcome() const {
    const auto listener = listen_on_unix(path_, 0600);
    return listener ? "listens" : listener.error().message();
  }
  [[nodiscard]] std::string cannot(const std::string& why) const {
    return "cannot listen on unix:" + path_ + why;
  }

  const std::string directory_ = testing::TempDir() + "wsproxy-unix-" + std::to_string(::getpid());
  std::string path_ = directory_ + "/s";
};

TEST_F(ListenOnUnix, GivesASocketWithTheModeAskedFor) {
  for (const mode_t umask : {0000, 0022, 0777}) {
    for (const unsigned mode : {0600U, 0660U, 0666U, 0777U, 0400U}) {
      const mode_t before = ::umask(umask);
      const auto listener = listen_on_unix(path_, mode);
      EXPECT_EQ(::umask(before), umask) << "the umask is left as it was";
      ASSERT_TRUE(listener) << listener.error().message();
      struct stat status{};
      ASSERT_EQ(::lstat(path_.c_str(), &status), 0);
      EXPECT_EQ(status.st_mode & 07777U, mode);
      EXPECT_TRUE(S_ISSOCK(status.st_mode));
      EXPECT_NE(::fcntl(listener->socket.get(), F_GETFD) & FD_CLOEXEC, 0);
      EXPECT_NE(::fcntl(listener->socket.get(), F_GETFL) & O_NONBLOCK, 0);
      EXPECT_TRUE(connect());
    }
  }
}

TEST_F(ListenOnUnix, RemovesItsFile) {
  {
    const auto listener = listen_on_unix(path_, 0600);
    EXPECT_TRUE(exists());
  }
  EXPECT_FALSE(exists());
}

TEST_F(ListenOnUnix, RemovesItsFileFromElsewhere) {
  const std::string before = std::filesystem::current_path();
  std::filesystem::current_path(directory_);
  auto listener = listen_on_unix("s", 0600);
  std::filesystem::current_path(before);
  ASSERT_TRUE(listener) << listener.error().message();
  EXPECT_TRUE(exists());
  listener->file.remove();
  EXPECT_FALSE(exists());
}

TEST_F(ListenOnUnix, LeavesAFileThatTookThePlaceOfItsOwn) {
  auto first = listen_on_unix(path_, 0600);
  std::filesystem::remove(path_);
  const auto second = listen_on_unix(path_, 0600);
  ASSERT_TRUE(second);
  first->file.remove();
  EXPECT_TRUE(connect()) << "it is the second's by now";
}

TEST_F(ListenOnUnix, LeavesItsFileToASuccessor) {
  auto listener = listen_on_unix(path_, 0600);
  listener->file.release();
  listener->file.remove();
  EXPECT_TRUE(exists());
}

TEST_F(ListenOnUnix, ReplacesTheFileOfAListenerThatIsGone) {
  listen_on_unix(path_, 0600)->file.release();
  ASSERT_TRUE(exists());
  const auto listener = listen_on_unix(path_, 0600);
  ASSERT_TRUE(listener) << listener.error().message();
  EXPECT_TRUE(connect());
}

TEST_F(ListenOnUnix, LeavesAListenerThatIsAliveAlone) {
  const auto first = listen_on_unix(path_, 0600);
  EXPECT_EQ(outcome(), cannot(": address already in use"));
  // a queue that is full does not mean that nobody is there
  ASSERT_EQ(::listen(first->socket.get(), 0), 0);
  std::vector<UniqueFd> waiting;
  while (true) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const SocketAddress address = *SocketAddress::unix_path(path_);
    if (::connect(fd.get(), address.get(), address.length()) != 0) break;
    waiting.push_back(std::move(fd));
  }
  EXPECT_EQ(outcome(), cannot(": address already in use"));
  EXPECT_TRUE(exists());
}

TEST_F(ListenOnUnix, LeavesADatagramSocketAlone) {
  const UniqueFd syslog(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const SocketAddress address = *SocketAddress::unix_path(path_);
  ASSERT_EQ(::bind(syslog.get(), address.get(), address.length()), 0);
  EXPECT_EQ(outcome(), cannot(": address already in use"));
  EXPECT_TRUE(exists());
}

TEST_F(ListenOnUnix, NeverRemovesWhatIsNotASocket) {
  std::ofstream(path_) << "precious";
  EXPECT_EQ(outcome(), cannot(", which is not a socket: file exists"));
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  EXPECT_EQ(outcome(), cannot(", which is not a socket: file exists"));
  std::filesystem::remove(path_);
  std::filesystem::create_symlink("/nonexistent", path_);
  EXPECT_EQ(outcome(), cannot(", which is not a socket: file exists"));
  EXPECT_TRUE(exists());
}

TEST_F(ListenOnUnix, TakesAPathOf107BytesAndNoneOf108) {
  path_ = directory_ + "/";
  path_ += std::string(107 - path_.size(), 'x');
  EXPECT_EQ(outcome(), "listens");
  path_ += "x";
  EXPECT_EQ(outcome(), cannot(": a Unix socket's path has 1 to 107 bytes"));
}

TEST_F(ListenOnUnix, NamesADirectoryThatIsNotThere) {
  path_ = directory_ + "/none/s";
  EXPECT_EQ(outcome(), cannot(": no such file or directory"));
}

TEST_F(ListenOnUnix, ItsPeersAreNamedByProcessAndUser) {
  const auto listener = listen_on_unix(path_, 0600);
  const UniqueFd client = connect();
  const UniqueFd served(::accept(listener->socket.get(), nullptr, nullptr));
  EXPECT_EQ(peer_name(served.get(), local_address(served.get())),
            "unix:pid=" + std::to_string(::getpid()) + ",uid=" + std::to_string(::getuid()));
}

TEST_F(ListenOnUnix, AListenerSaysWhereAndRemovesTheFileWhenStopped) {
  const FakeClock clock;
  EventLoop loop(clock);
  int accepted = 0;
  auto unix_listener = listen_on_unix(path_, 0600);
  Listener listener(
      loop, std::move(unix_listener->socket), [&](UniqueFd, const SocketAddress&) { ++accepted; },
      std::move(unix_listener->file));
  EXPECT_EQ(listener.address().to_string(), "unix:" + path_);
  listener.start();
  const UniqueFd client = connect();
  loop.turn(seconds(10));
  EXPECT_EQ(accepted, 1);
  listener.stop();
  EXPECT_FALSE(exists());
}

TEST(PeerName, OfAnInternetSocketIsItsAddress) {
  const UniqueFd listener = listening();
  const UniqueFd client = connect_to(local_address(listener.get()));
  EXPECT_EQ(peer_name(client.get(), local_address(listener.get())),
            local_address(listener.get()).to_string());
}

// --- sockets that we were started with ---

std::string adopted(int fd) {
  const auto socket = adopt_listener(fd);
  return socket ? "adopted" : socket.error().message();
}

TEST(AdoptListener, TakesASocketThatIsListening) {
  const UniqueFd original = listening();
  const int inherited = ::dup(original.get());  // not close-on-exec
  ::fcntl(inherited, F_SETFL, 0);
  const auto socket = adopt_listener(inherited);
  ASSERT_TRUE(socket) << socket.error().message();
  EXPECT_EQ(socket->get(), inherited);
  EXPECT_NE(::fcntl(inherited, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(::fcntl(inherited, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_TRUE(connect_to(local_address(socket->get())));
}

TEST(AdoptListener, MovesASocketAwayFromStandardInput) {
  const UniqueFd original = listening();
  const UniqueFd saved(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  ASSERT_EQ(::dup2(original.get(), STDIN_FILENO), STDIN_FILENO);
  const auto socket = adopt_listener(STDIN_FILENO);
  char byte = 0;
  const ssize_t read = ::read(STDIN_FILENO, &byte, 1);
  const int flags = ::fcntl(STDIN_FILENO, F_GETFD);
  ::dup2(saved.get(), STDIN_FILENO);
  ASSERT_TRUE(socket) << socket.error().message();
  EXPECT_GT(socket->get(), STDERR_FILENO);
  EXPECT_NE(::fcntl(socket->get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(read, 0) << "/dev/null is in its place";
  EXPECT_EQ(flags, 0) << "and stays there for programs that we start";
}

TEST(AdoptListener, SaysWhatIsWrongWithAnythingElse) {
  EXPECT_EQ(adopted(1000), "descriptor 1000: bad file descriptor");
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::string file_name = "descriptor " + std::to_string(file.get());
  EXPECT_EQ(adopted(file.get()), file_name + " is not a socket");
  const UniqueFd listener = listening();
  const UniqueFd client = connect_to(local_address(listener.get()));
  EXPECT_EQ(adopted(client.get()),
            "descriptor " + std::to_string(client.get()) + " is a socket that is not listening");
  const UniqueFd datagram(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(adopted(datagram.get()),
            "descriptor " + std::to_string(datagram.get()) + " is not a stream socket");
  const UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
  EXPECT_EQ(adopted(netlink.get()), "descriptor " + std::to_string(netlink.get()) +
                                        " is neither an Internet nor a Unix socket");
}

// --- the listener ---

TEST(Listener, HandsOutConnections) {
  const FakeClock clock;
  EventLoop loop(clock);
  std::vector<UniqueFd> accepted;
  std::vector<std::string> from;
  Listener listener(loop, listening(), [&](UniqueFd fd, const SocketAddress& peer) {
    accepted.push_back(std::move(fd));
    from.push_back(peer.to_string());
  });
  listener.set_user_timeout(seconds(7));
  const SocketAddress address = listener.address();
  const UniqueFd first = connect_to(address);
  const UniqueFd second = connect_to(address);
  ASSERT_TRUE(first && second);
  loop.turn(Duration::zero());
  EXPECT_TRUE(accepted.empty()) << "not started yet";
  listener.start();
  loop.turn(seconds(10));
  ASSERT_EQ(accepted.size(), 2U);
  EXPECT_EQ(from.at(0), local_address(first.get()).to_string());
  for (const UniqueFd& fd : accepted) {
    int ms = 0;
    socklen_t length = sizeof ms;
    EXPECT_EQ(::getsockopt(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &length), 0);
    EXPECT_EQ(ms, 7000);
    EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_NE(::fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
  }
}

TEST(Listener, RefusesConnectionsOnceStopped) {
  const FakeClock clock;
  EventLoop loop(clock);
  int accepted = 0;
  Listener listener(loop, listening(), [&](UniqueFd, const SocketAddress&) { ++accepted; });
  listener.start();
  const SocketAddress address = listener.address();
  listener.stop();
  EXPECT_FALSE(connect_to(address));
  loop.turn(Duration::zero());
  EXPECT_EQ(accepted, 0);
}

TEST(Listener, MayBeStoppedByTheCallback) {
  const FakeClock clock;
  EventLoop loop(clock);
  int accepted = 0;
  std::unique_ptr<Listener> listener;
  listener = std::make_unique<Listener>(loop, listening(), [&](UniqueFd, const SocketAddress&) {
    ++accepted;
    listener->stop();
  });
  listener->start();
  const SocketAddress address = listener->address();
  const UniqueFd first = connect_to(address);
  const UniqueFd second = connect_to(address);
  loop.turn(seconds(10));
  loop.turn(Duration::zero());
  EXPECT_EQ(accepted, 1);
}

TEST(Listener, GivesOthersTheirTurnAfter32Connections) {
  const FakeClock clock;
  EventLoop loop(clock);
  std::size_t accepted = 0;
  Listener listener(loop, listening(), [&](UniqueFd, const SocketAddress&) { ++accepted; });
  listener.start();
  std::vector<UniqueFd> clients;
  clients.reserve(40);
  for (int i = 0; i < 40; ++i) clients.push_back(connect_to(listener.address()));
  loop.turn(seconds(10));
  EXPECT_EQ(accepted, 32U);
  loop.turn(seconds(10));
  EXPECT_EQ(accepted, 40U);
}

TEST(Listener, OutOfDescriptorsItPausesInsteadOfSpinning) {
  FakeClock clock;
  EventLoop loop(clock);
  std::vector<UniqueFd> accepted;
  Listener listener(loop, listening(),
                    [&](UniqueFd fd, const SocketAddress&) { accepted.push_back(std::move(fd)); });
  listener.start();
  const UniqueFd client = connect_to(listener.address());
  ASSERT_TRUE(client);

  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  log::set_fd(null.get());
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const UniqueFd lowest_free(::dup(client.get()));
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free.get());
  ::setrlimit(RLIMIT_NOFILE, &none);
  loop.turn(Duration::zero());
  const auto next = loop.timers().next_in();
  clock.advance(milliseconds(99));
  loop.turn(Duration::zero());
  const bool waited = accepted.empty();
  ::setrlimit(RLIMIT_NOFILE, &before);
  loop.turn(Duration::zero());
  const bool still_waits = accepted.empty();
  log::set_fd(STDERR_FILENO);

  EXPECT_EQ(next, Duration(milliseconds(100)));
  EXPECT_TRUE(waited);
  EXPECT_TRUE(still_waits) << "not watched before the time is up";
  clock.advance(milliseconds(1));
  loop.turn(Duration::zero());
  loop.turn(Duration::zero());
  EXPECT_EQ(accepted.size(), 1U) << "the connection has waited in the queue";
}

}  // namespace
}  // namespace wsproxy::io
