// Certificate, key and rules of the TLS that we offer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "io/stream.h"
#include "tls/options.h"

struct ssl_ctx_st;

namespace wsproxy::tls {

class TlsStream;

/// Immutable once loaded; sessions share it. TLS 1.2 and 1.3 by default, with ECDHE (X25519, P-256, P-384)
/// and AEAD ciphers at OpenSSL's security level 2; ALPN "http/1.1", no renegotiation, no compression, no
/// early data. Sessions resume by tickets; those of another set of certificates or client authorities do
/// not.
class TlsContext {
 public:
  /// Reads the files that `options` names. Its password is not kept, its ticket keys are.
  /// Errors: Tls, naming the file or the list: not readable, no certificate or key in it, no pair, a key
  /// that the password does not open, a list of which OpenSSL knows nothing.
  static Result<std::shared_ptr<const TlsContext>> load(const ServerOptions& options);

  /// A server-side stream over `inner`; the handshake is still to be made.
  [[nodiscard]] std::unique_ptr<TlsStream> accept(std::unique_ptr<io::Stream>&& inner) const;

  /// True if one of our certificates is for `host`, a name or a numeric address without brackets.
  [[nodiscard]] bool is_certified_for(const std::string& host) const;

  /// What the operator should know though it works: an expired certificate, TLS 1.1, an OCSP response of
  /// no use.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  std::unique_ptr<ssl_ctx_st, Free> context_;
  std::vector<std::string> warnings_;
};

}  // namespace wsproxy::tls
