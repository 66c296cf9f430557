// Each allocation of a session's life fails once: that session ends, the next one works, nothing is left.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "io/listener.h"
#include "io/plain_stream.h"
#include "session/access_log.h"
#include "session/log_limits.h"
#include "session/session_table.h"
#include "support/builders.h"
#include "support/failing_new.h"
#include "support/fake_clock.h"
#include "support/log_capture.h"
#include "support/temp_dir.h"
#include "support/tls_pair.h"

namespace wsproxy::session {
namespace {

using std::chrono::seconds;
using test::FailingNew;

constexpr std::size_t kBlock = 65536;
constexpr std::size_t kMany = 5000;  // allocations that no session needs

constexpr std::string_view kUpgrade =
    "GET /websockify?a=0123456789abcdef0123456789abcdef HTTP/1.1\r\n"
    "Host: desk.example:6080\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "\r\n";

class Nowhere final : public log::Output {
 public:
  bool write(std::string_view) override { return true; }
};

// A client with a real socket, and perhaps TLS, that needs no `new` to speak.
class Client {
 public:
  Client() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_ = UniqueFd(ends[0]);
    theirs = UniqueFd(ends[1]);
  }
  void speak_tls(SSL_CTX* context) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL's own sockets know no MSG_NOSIGNAL
    ssl_.reset(SSL_new(context));
    SSL_set_fd(ssl_.get(), ours_.get());
    SSL_set_connect_state(ssl_.get());
  }
  void handshake() {
    if (ssl_) SSL_do_handshake(ssl_.get());
  }
  void send(std::string_view text) {
    if (ssl_) {
      SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
    } else {
      ::send(ours_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    }
  }
  // True once `text` was seen in what came.
  bool has_got(std::string_view text) {
    while (size_ < got_.size()) {
      char* const to = got_.data() + size_;
      const int room = static_cast<int>(got_.size() - size_);
      const auto n = ssl_ ? SSL_read(ssl_.get(), to, room)
                          : static_cast<int>(::recv(ours_.get(), to, got_.size() - size_, 0));
      if (n <= 0) break;
      size_ += static_cast<std::size_t>(n);
    }
    return std::string_view(got_.data(), size_).find(text) != std::string_view::npos;
  }

  UniqueFd theirs;

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  UniqueFd ours_;
  std::unique_ptr<SSL, Free> ssl_;
  std::array<char, 4096> got_{};
  std::size_t size_ = 0;
};

class OutOfMemoryTest : public testing::TestWithParam<bool> {
 protected:
  OutOfMemoryTest() : settings_(std::make_shared<Settings>()) {
    const std::string path = directory_.path() + "/target";
    auto listening = io::listen_on_unix(path, 0600);
    EXPECT_TRUE(listening);
    target_ = std::move(*listening);
    settings_->target = {"", 0, path};
    settings_->names = *access::HostNames::make({"*"}, {});
    settings_->config.session_max_duration = seconds(20);
    if (GetParam()) {
      settings_->tls = test::serve(test::Certificate());
      client_context_.reset(SSL_CTX_new(TLS_client_method()));
    }
    close_ =
        test::text_of(test::masked_frame(ws::Opcode::Close, true, std::string_view("\x03\xe8", 2)));
    hello_ = test::text_of(test::masked_frame(ws::Opcode::Binary, true, "hello")) +
             test::text_of(test::masked_frame(ws::Opcode::Ping, true, "are you there"));
  }

  void turn(int times = 4) {
    for (int i = 0; i < times; ++i) loop_.turn(Duration::zero());
  }

  // A whole life, whose allocation number `n` fails. True if it came to its end unharmed.
  bool live(std::size_t n) {
    Client client;
    if (client_context_) client.speak_tls(client_context_.get());
    auto stream = std::make_unique<io::PlainStream>(std::move(client.theirs));
    std::string peer = "192.0.2.1:50000";
    const ClientKey key(*SocketAddress::numeric("192.0.2.1", 50000));
    bool answered = false;
    UniqueFd target;
    {
      const FailingNew failing(n);
      try {  // as the loop around the listener does
        auto visit = admission_.arrive(key, limits_);
        if (visit) table_.begin(std::move(stream), std::move(peer), settings_, std::move(*visit));
      } catch (const std::bad_alloc&) {
        EXPECT_TRUE(FailingNew::has_failed());
      }
      for (int i = 0; i < 3; ++i) {
        client.handshake();
        turn();
      }
      client.send(kUpgrade);
      turn();
      client.send(hello_);
      turn();
      target = UniqueFd(::accept4(target_.socket.get(), nullptr, nullptr, SOCK_NONBLOCK));
      ::send(target.get(), "answer", 6, MSG_NOSIGNAL);
      turn();
      std::array<char, 64> got{};
      answered = client.has_got("answer") && client.has_got("are you there") &&
                 ::recv(target.get(), got.data(), got.size(), 0) == 5;
      client.send(close_);
      turn();
    }
    failed_ = FailingNew::has_failed();
    stream.reset();
    target.reset();
    client = Client();  // gone
    for (int i = 0; i < 40 && table_.size() > 0; ++i) {
      clock_.advance(seconds(1));
      turn(2);
    }
    return answered;
  }

  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  test::LogCapture log_;
  test::TempDir directory_;
  test::FakeClock clock_;
  io::EventLoop loop_{clock_};
  io::Resolver resolver_{loop_};
  io::SocketDialer dialer_{loop_, resolver_};
  Admission admission_{clock_, [] {}};
  ConnectionLimits limits_{.rate = 100000};
  BufferPool pool_{kBlock};
  std::vector<std::byte> scratch_ = std::vector<std::byte>(kBlock);
  LogLimits log_limits_{loop_};
  AccessLog access_log_{std::make_unique<Nowhere>(), AccessLog::Format::Json};
  std::shared_ptr<Settings> settings_;
  std::unique_ptr<SSL_CTX, Free> client_context_;
  io::UnixListener target_;
  std::string hello_, close_;
  bool failed_ = false;
  SessionTable table_{{loop_, dialer_, admission_, pool_, scratch_, &log_limits_, &access_log_},
                      [] {}};
};

TEST_P(OutOfMemoryTest, AnAllocationThatFailsEndsOneSession) {
  ASSERT_TRUE(live(kMany)) << "the script itself";
  ASSERT_FALSE(failed_);
  std::size_t n = 0;
  do {
    (void)log_.take();
    (void)live(n);
    ASSERT_EQ(table_.size(), 0U) << "allocation " << n;
    ASSERT_EQ(admission_.present(), 0U) << "allocation " << n;
    ASSERT_EQ(admission_.pending(), 0U) << "allocation " << n;
    const bool failed = failed_;
    ASSERT_TRUE(live(kMany)) << "the session after allocation " << n << " failed\n" << log_.take();
    failed_ = failed;
  } while (failed_ && ++n < kMany);
  EXPECT_GT(n, 30U) << "that is no life";
  EXPECT_LT(n, kMany);
}

INSTANTIATE_TEST_SUITE_P(PlainAndTls, OutOfMemoryTest, testing::Bool());

}  // namespace
}  // namespace wsproxy::session
