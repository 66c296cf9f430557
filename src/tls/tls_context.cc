#include "tls/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <string_view>

#include "tls/openssl.h"
#include "tls/tls_stream.h"

namespace wsproxy::tls {
namespace {

constexpr const char* kOurCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";  // forward secret, AEAD
constexpr const char* kOldCiphers = ":ECDHE+AES";                   // what TLS 1.1 has of them

int select_alpn(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                unsigned int in_length, void*) {
  constexpr std::string_view kOurs = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_length,
                                          reinterpret_cast<const unsigned char*>(kOurs.data()),
                                          static_cast<unsigned>(kOurs.size()), in, in_length);
  *out = chosen;
  // RFC 7301 section 3.2: who offers only what we do not speak is told so
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void set_rules(SSL_CTX* context) {
  set_common_rules(context);
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // tickets resume without memory of ours
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>("wsproxy"), 7);
  SSL_CTX_set_alpn_select_cb(context, select_alpn, nullptr);
}

int version_number(MinVersion version) {
  switch (version) {
    case MinVersion::Tls11: return TLS1_1_VERSION;
    case MinVersion::Tls12: return TLS1_2_VERSION;
    case MinVersion::Tls13: return TLS1_3_VERSION;
  }
  return TLS1_2_VERSION;
}

// The items of a list as OpenSSL splits it.
std::vector<std::string> items_of(std::string_view list) {
  constexpr std::string_view kSeparators = ":, ;";
  std::vector<std::string> items;
  while (!list.empty()) {
    const auto end = std::min(list.find_first_of(kSeparators), list.size());
    if (end > 0) items.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return items;
}

// OpenSSL ignores what it does not know as long as something is left: a slip of the pen would go unseen.
Status choose_ciphers(SSL_CTX* context, const ServerOptions& options,
                      std::vector<std::string>& warnings) {
  const bool old = options.min_version == MinVersion::Tls11;
  std::string list = options.ciphers;
  if (list.empty()) list = std::string(kOurCiphers) + (old ? kOldCiphers : "");
  // TLS 1.1 signs with SHA-1, which OpenSSL 3 allows at level 0 only
  if (old && list.find("@SECLEVEL") == std::string::npos) list += ":@SECLEVEL=0";
  for (const std::string& item : items_of(options.ciphers)) {
    if (std::string_view("!-+@").find(item[0]) != std::string_view::npos) continue;
    if (SSL_CTX_set_cipher_list(context, item.c_str()) == 1) continue;
    warnings.push_back("ciphers: '" + item + "' selects none");
  }
  ERR_clear_error();
  if (SSL_CTX_set_cipher_list(context, list.c_str()) != 1) {
    return fail(Errc::Tls, "ciphers '" + options.ciphers + "': " + openssl_reason());
  }
  for (const std::string& item : items_of(options.ciphersuites)) {
    if (SSL_CTX_set_ciphersuites(context, item.c_str()) == 1) continue;
    ERR_clear_error();
    return fail(Errc::Tls, "ciphersuites: '" + item + "' is no cipher suite of TLS 1.3");
  }
  if (!options.ciphersuites.empty() &&
      SSL_CTX_set_ciphersuites(context, options.ciphersuites.c_str()) != 1) {
    return fail(Errc::Tls, "ciphersuites '" + options.ciphersuites + "': " + openssl_reason());
  }
  return {};
}

int note_client_refusal(int ok, X509_STORE_CTX* store) {
  if (ok != 1) {
    auto* ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    const X509* certificate = X509_STORE_CTX_get_current_cert(store);
    note_refusal(ssl, "client " + refusal(X509_STORE_CTX_get_error(store), certificate) + " (" +
                          subject_name(certificate) + ")");
  }
  return ok;
}

Status ask_for_certificates(SSL_CTX* context, const std::string& ca_file) {
  if (Status trusted = trust(context, ca_file); !trusted) return trusted;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     note_client_refusal);
  // browsers offer the certificates that one of these has signed; the system's would be a long list
  if (!ca_file.empty()) {
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(ca_file.c_str()));
    ERR_clear_error();
  }
  return {};
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<std::shared_ptr<const TlsContext>> TlsContext::load(const ServerOptions& options) {
  ERR_clear_error();
  auto result = std::make_shared<TlsContext>();
  result->context_.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* context = result->context_.get();
  if (context == nullptr) return fail(Errc::Tls, "cannot set up TLS: " + openssl_reason());
  set_rules(context);
  SSL_CTX_set_min_proto_version(context, version_number(options.min_version));
  if (options.min_version == MinVersion::Tls11) {
    result->warnings_.emplace_back(
        "TLS 1.1 is spoken on request: it is broken, and OpenSSL's security level is 0 for it");
  }
  // first, as the security level in the list decides which keys will do
  Status done = choose_ciphers(context, options, result->warnings_);
  if (done) done = use_certificate(context, options.cert, options.key, options.key_password);
  if (done && options.verify_client) done = ask_for_certificates(context, options.ca_file);
  if (!done) return std::unexpected(done.error());
  if (std::string odd = certificate_warning(context, options.cert); !odd.empty()) {
    result->warnings_.push_back(std::move(odd));
  }
  return result;
}

std::unique_ptr<TlsStream> TlsContext::accept(std::unique_ptr<io::Stream> inner) const {
  return std::make_unique<TlsStream>(SSL_new(context_.get()), std::move(inner),
                                     TlsStream::Role::Server);
}

bool TlsContext::is_certified_for(const std::string& host) const {
  X509* certificate = SSL_CTX_get0_certificate(context_.get());
  if (certificate == nullptr) return false;
  const bool yes = X509_check_host(certificate, host.data(), host.size(),
                                   X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1 ||
                   X509_check_ip_asc(certificate, host.c_str(), 0) == 1;
  ERR_clear_error();
  return yes;
}

}  // namespace wsproxy::tls
