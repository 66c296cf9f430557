// The certificates that a server has, and which of them it shows to whom.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "tls/ocsp_response.h"
#include "tls/options.h"

struct ssl_st;
struct ssl_ctx_st;
struct evp_md_ctx_st;
struct evp_pkey_st;

namespace wsproxy::tls {

/// A client that asks for a name (SNI, RFC 6066 section 3) is shown the certificates that are for exactly
/// this name, else those with a wildcard for it, else the first of all. Of several that fit, the first of
/// each kind of key; OpenSSL chooses between kinds by what the client knows.
class ServerCertificates {
 public:
  /// Loads what `options` names; the first certificate is the one of `context` from then on, whose
  /// security level counts for all. OCSP responses find their certificates by themselves; what is wrong
  /// with one is a warning, and it is left out.
  /// Errors: Tls, naming the file.
  static Result<ServerCertificates> load(ssl_ctx_st* context, const ServerOptions& options,
                                         std::vector<std::string>& warnings);

  /// For SSL_CTX_set_cert_cb: has `ssl` show what its client asks for. False: out of memory.
  bool choose(ssl_st* ssl) const;

  /// For SSL_CTX_set_tlsext_status_cb: puts the OCSP response of the certificate chosen into the
  /// handshake, if there is a fresh one. Says in the log, once, that one has expired.
  bool staple(ssl_st* ssl) const;

  /// True if one of them is for `host`, a name or a numeric address without brackets.
  [[nodiscard]] bool are_for(const std::string& host) const;

  /// Adds all certificates to a digest.
  void digest(evp_md_ctx_st* digest) const;

 private:
  struct Free {
    void operator()(x509_st* certificate) const;
    void operator()(evp_pkey_st* key) const;
    void operator()(stack_st_X509* chain) const;
  };
  struct Entry {
    std::unique_ptr<x509_st, Free> certificate;
    std::unique_ptr<evp_pkey_st, Free> key;
    std::unique_ptr<stack_st_X509, Free> chain;
    std::optional<OcspResponse> ocsp;
    mutable bool expiry_told = false;
  };

  static Result<Entry> load_entry(ssl_ctx_st* context, const CertificateFiles& files,
                                  const Secret& password, std::vector<std::string>& warnings);
  Status attach(const std::string& ocsp_file, std::vector<std::string>& warnings);
  [[nodiscard]] std::vector<const Entry*> fitting(const char* name) const;

  std::vector<Entry> entries_;
};

}  // namespace wsproxy::tls
