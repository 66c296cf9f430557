// kTLS without a kernel that has it: the socket says that it took the keys, and what it should encrypt goes out as it
// is, for the test to read.
#include <gtest/gtest.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "io/plain_stream.h"
#include "support/builders.h"
#include "support/certificate.h"
#include "support/socket_pair.h"
#include "support/tls_client.h"
#include "tls/tls_stream.h"

namespace {
bool takes_keys = false;
}

// In place of libc's, for libcrypto as well; libc's parameters have reserved names.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name)
extern "C" int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  if (takes_keys && level == IPPROTO_TCP && name == TCP_ULP) return 0;
  if (takes_keys && level == SOL_TLS && name == TLS_TX) return 0;
  return static_cast<int>(::syscall(SYS_setsockopt, fd, level, name, value, size));
}

namespace wsproxy::tls {
namespace {

class KernelTlsTest : public testing::Test {
 protected:
  KernelTlsTest() {
    SSL_CTX_use_certificate_chain_file(context_.get(), both_.path().c_str());
    SSL_CTX_use_PrivateKey_file(context_.get(), both_.path().c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_set_mode(context_.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context_.get(), SSL_OP_ENABLE_KTLS);
    SSL_CTX_set_num_tickets(context_.get(), 0);
    sockets_ = test::SocketPair::tcp(1 << 14);
    takes_keys = true;
    stream_ =
        TlsStream::make(context_.get(), std::make_unique<io::PlainStream>(std::move(sockets_.ours)),
                        TlsStream::Role::Server);
  }
  void TearDown() override { takes_keys = false; }

  void shake_hands() {
    io::IoResult result = io::IoResult::again();
    for (int i = 0; i < 1000 && !result.is_ok(); ++i) {
      client_.handshake();
      const std::string flight = client_.take();
      EXPECT_EQ(test::send_some(sockets_.theirs.get(), flight), flight.size());
      result = stream_->handshake();
      ASSERT_NE(result.kind, io::IoResult::Kind::Failed) << stream_->handshake_failure();
      client_.give(test::read_all(sockets_.theirs.get()));
    }
    ASSERT_TRUE(result.is_ok());
  }

  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  test::Certificate certificate_;
  test::TempFile both_{certificate_.key_pem + certificate_.cert_pem};
  std::unique_ptr<SSL_CTX, Free> context_{SSL_CTX_new(TLS_server_method())};
  test::SocketPair sockets_;
  test::TlsClient client_;
  std::unique_ptr<TlsStream> stream_;
};

TEST_F(KernelTlsTest, WhatTheSocketHasNotTakenIsNotReadFromOurMemoryLater) {
  shake_hands();
  const std::string all = test::text_of(test::pattern(1 << 20));
  std::vector<std::byte> scratch(1 << 16);
  std::string wire;
  std::size_t done = 0;
  for (int i = 0; i < 100'000 && wire.size() < all.size(); ++i) {
    const std::size_t n = std::min(scratch.size(), all.size() - done);
    if (n > 0) {
      std::ranges::copy(as_bytes(all).subspan(done, n), scratch.begin());
      const std::array parts = {Bytes(scratch).first(n)};
      const io::IoResult result = stream_->write(parts);
      ASSERT_NE(result.kind, io::IoResult::Kind::Failed) << io::describe(result);
      done += result.bytes;
      std::ranges::fill(scratch, std::byte{0xEE});  // somebody else's bytes
    }
    if (i % 3 == 0) wire += test::read_all(sockets_.theirs.get());
  }
  EXPECT_EQ(stream_->unflushed(), 0U);
  EXPECT_TRUE(wire == all) << "the first difference is at "
                           << std::ranges::mismatch(wire, all).in1 - wire.begin();
}

}  // namespace
}  // namespace wsproxy::tls
