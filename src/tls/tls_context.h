// Certificate, key and rules of the TLS that we offer.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "io/stream.h"

struct ssl_ctx_st;

namespace wsproxy::tls {

class TlsStream;

/// Immutable once loaded; sessions share it. TLS 1.2 and 1.3, ALPN "http/1.1", no renegotiation, no
/// compression.
class TlsContext {
 public:
  /// Reads the PEM files: the chain from `cert_file`, the key from `key_file` or, if that is empty,
  /// from `cert_file` as well.
  /// Errors: Tls, naming the file: not readable, no certificate or key in it, or no pair.
  static Result<std::shared_ptr<const TlsContext>> load(const std::string& cert_file,
                                                        const std::string& key_file);

  /// A server-side stream over `inner`; the handshake is still to be made.
  [[nodiscard]] std::unique_ptr<TlsStream> accept(std::unique_ptr<io::Stream> inner) const;

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  std::unique_ptr<ssl_ctx_st, Free> context_;
};

}  // namespace wsproxy::tls
