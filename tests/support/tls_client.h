// A TLS client of which a test can have anything.
#pragma once

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "support/scripted_stream.h"
#include "tls/tls_context.h"
#include "tls/tls_stream.h"

namespace wsproxy::test {

/// OpenSSL as a client between two buffers in memory.
class TlsClient {
 public:
  TlsClient() : ssl_(SSL_new(context())) {
    SSL_set_security_level(ssl(), 0);  // old versions are for the server to refuse
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
  }

  SSL* ssl() { return ssl_.get(); }

  // True once the handshake is done as this side sees it.
  bool handshake() {
    ERR_clear_error();
    return SSL_do_handshake(ssl()) == 1;
  }

  // What goes to the server now.
  std::string take() {
    std::string out(BIO_ctrl_pending(SSL_get_wbio(ssl())), '\0');
    if (!out.empty()) BIO_read(SSL_get_wbio(ssl()), out.data(), static_cast<int>(out.size()));
    return out;
  }
  void give(const std::string& bytes) {
    if (bytes.empty()) return;
    BIO_write(SSL_get_rbio(ssl()), bytes.data(), static_cast<int>(bytes.size()));
  }

  // The records that carry `text`.
  std::string seal(std::string_view text) {
    EXPECT_EQ(SSL_write(ssl(), text.data(), static_cast<int>(text.size())),
              static_cast<int>(text.size()));
    return take();
  }
  std::string seal_end() {
    SSL_shutdown(ssl());
    return take();
  }
  // All that was received and can be read.
  std::string open() {
    std::string out;
    std::array<char, 16384> piece{};
    ERR_clear_error();
    for (int n = 0; (n = SSL_read(ssl(), piece.data(), piece.size())) > 0;) {
      out.append(piece.data(), static_cast<std::size_t>(n));
    }
    return out;
  }

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  static SSL_CTX* context() {
    static const std::unique_ptr<SSL_CTX, Free> shared(SSL_CTX_new(TLS_client_method()));
    return shared.get();
  }

  std::unique_ptr<SSL, Free> ssl_;
};

/// A TLS client and the server that it talks to.
struct TlsVisit {
  explicit TlsVisit(const tls::TlsContext& serving)
      : server(serving.accept(std::make_unique<ScriptedStream>(peer))) {}

  /// Until both are done and the client has its session tickets; false if they do not get there.
  bool shake_hands() {
    bool client_done = false;
    io::IoResult result = io::IoResult::again();
    for (int round = 0; round < 6; ++round) {
      client_done = client.handshake();
      peer->to_read += client.take();
      if (result.kind == io::IoResult::Kind::Again) result = server->handshake();
      client.give(std::exchange(peer->written, {}));
    }
    client.open();
    // as after a close_notify: OpenSSL resumes no session that was cut off
    SSL_set_shutdown(client.ssl(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    return client_done && result.is_ok();
  }

  std::shared_ptr<Peer> peer = std::make_shared<Peer>();
  TlsClient client;
  std::unique_ptr<tls::TlsStream> server;
};

}  // namespace wsproxy::test
