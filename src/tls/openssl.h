// What the server's and the client's side share of OpenSSL.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "tls/options.h"

struct ssl_st;
struct ssl_ctx_st;
struct x509_st;
struct x509_store_ctx_st;

namespace wsproxy::tls {

/// True if this kernel encrypts TLS records by itself (kTLS), which saves a copy and half of the work where a
/// network card does it. Asked once. False while the module is not loaded: that takes an administrator.
bool kernel_has_tls();

/// What OpenSSL says is wrong, without its numbers; its queue is empty afterwards.
std::string openssl_reason();

/// Rules that hold for both sides: no renegotiation, no compression, and how we read and write.
void set_common_rules(ssl_ctx_st* context);

/// Certificate chain and key from PEM files. Asks nobody for a password: without one, or with a
/// wrong one, it fails.
/// Errors: Tls, naming the file and the cause.
Status use_certificate(ssl_ctx_st* context, const std::string& cert_file,
                       const std::string& key_file, const Secret& password);

/// Which authorities are trusted: those in `ca_file` or, if that is empty, the system's. Read now, as
/// the files may be out of reach later (chroot).
Status trust(ssl_ctx_st* context, const std::string& ca_file);

/// Files and directories of OpenSSL and of the system's authorities: what trust() and the library may
/// read at any time, whoever asks for a certificate.
std::vector<std::string> system_places();

/// What is odd about the certificate that `context` shows: "certificate X expired on ...". Empty if
/// nothing is.
std::string certificate_warning(ssl_ctx_st* context, const std::string& cert_file);

/// The subject's common name, or the whole subject if it has none, as printable ASCII.
std::string subject_name(const x509_st* certificate);

/// Why a peer's certificate is refused, in words for people: "certificate is for a.example, b.example".
/// `error` is one of X509_V_ERR_...; `certificate` is the one it is about, or null.
std::string refusal(int error, const x509_st* certificate);

/// The connection whose peer's certificate `store` is about.
ssl_st* ssl_of(x509_store_ctx_st* store);

}  // namespace wsproxy::tls
