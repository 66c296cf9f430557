// A browser's connection to the proxy: TCP, or TLS over it.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/unique_fd.h"

namespace wsproxy::bench {

/// What TLS connections share. Certificates are not looked at: the proxy's is self-signed.
class TlsClient {
 public:
  TlsClient();
  [[nodiscard]] SSL_CTX* context() const { return context_.get(); }

 private:
  std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> context_;
};

class Wire {
 public:
  enum class Step { Done, Wait, Failed };

  /// `tls`: null for plain TCP.
  explicit Wire(const TlsClient* tls) : tls_(tls) {}

  /// Begins to connect to that port of 127.0.0.1, from one of 16 addresses so that ports suffice for 10,000s of
  /// connections. False with errno.
  bool connect(int port);
  /// After the first readiness: whether TCP is connected. Failed sets errno.
  Step connected();
  /// Done at once without TLS. `resume`: with the session that the last connection of this wire was given.
  Step handshake(bool resume);

  /// Bytes moved; 0: would block; nothing: the connection is over.
  std::optional<std::size_t> read(MutableBytes out);
  std::optional<std::size_t> write(Bytes in);

  [[nodiscard]] bool has_pending() const { return ssl_ && ::SSL_has_pending(ssl_.get()) == 1; }
  [[nodiscard]] bool wants_write() const { return wants_write_; }
  [[nodiscard]] bool is_resumed() const { return ssl_ && ::SSL_session_reused(ssl_.get()) == 1; }
  [[nodiscard]] bool is_tls() const { return tls_ != nullptr; }
  [[nodiscard]] int fd() const { return fd_.get(); }

  void shutdown();  ///< our side, in good order
  void close();     ///< at once; the TLS session stays good for resuming

 private:
  static int keep_session(SSL* ssl, SSL_SESSION* session);
  std::optional<std::size_t> tls_result(int result);
  friend class TlsClient;

  const TlsClient* tls_;
  UniqueFd fd_;
  std::unique_ptr<SSL, decltype(&::SSL_free)> ssl_{nullptr, &::SSL_free};
  std::unique_ptr<SSL_SESSION, decltype(&::SSL_SESSION_free)> session_{nullptr,
                                                                       &::SSL_SESSION_free};
  bool wants_write_ = false;
};

}  // namespace wsproxy::bench
