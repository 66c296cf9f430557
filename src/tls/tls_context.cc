#include "tls/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "tls/openssl.h"
#include "tls/server_certificates.h"
#include "tls/ticket_keys.h"
#include "tls/tls_stream.h"

namespace wsproxy::tls {
namespace {

constexpr const char* kOurCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";  // forward secret, AEAD
constexpr const char* kOldCiphers = ":ECDHE+AES";                   // what TLS 1.1 has of them
constexpr const char* kGroups =
    "X25519:P-256:P-384";          // no ffdhe: 100 times the work, for a stranger
constexpr int kSecurityLevel = 2;  // 112 bits: RSA of 2048, no SHA-1

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
#ifdef SSL_OP_ENABLE_KTLS
  if (kernel_has_tls()) SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
#endif
  SSL_CTX_set_security_level(context, kSecurityLevel);  // openssl.cnf may say less
  SSL_CTX_set1_groups_list(context, kGroups);
  SSL_CTX_set_alpn_select_cb(context, select_alpn, nullptr);
  SSL_CTX_set_num_tickets(context,
                          1);  // the page's connection, then the WebSocket: one after the other
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
    note_refusal(ssl_of(store), [store] {
      const X509* certificate = X509_STORE_CTX_get_current_cert(store);
      return "client " + refusal(X509_STORE_CTX_get_error(store), certificate) + " (" +
             subject_name(certificate) + ")";
    });
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

// What a context's callbacks need. It goes with the SSL_CTX, which streams keep alive.
struct Companion {
  ServerCertificates certificates;
  SystemClock clock;
  std::shared_ptr<TicketKeys> tickets;
};

void free_companion(void*, void* companion, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Companion*>(companion);
}

int companion_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_companion);
  return index;
}

Companion& companion_of(const SSL* ssl) {
  return *static_cast<Companion*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), companion_index()));
}

int choose_certificate(SSL* ssl, void*) {
  return companion_of(ssl).certificates.choose(ssl) ? 1 : 0;
}

int staple(SSL* ssl, void*) {
  return companion_of(ssl).certificates.staple(ssl) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

int acknowledge_name(SSL*, int*, void*) { return SSL_TLSEXT_ERR_OK; }

// 0: no ticket, or none of ours. 1: as it is. 2: the client shall have a new one.
int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
               EVP_MAC_CTX* mac, int sealing) {
  TicketKeys& keys = *companion_of(ssl).tickets;
  const TicketKeys::Name key_name(name, 16);
  if (sealing == 1) return keys.seal(key_name, iv, cipher, mac) ? 1 : 0;
  switch (keys.open(key_name, iv, cipher, mac)) {
    case TicketKeys::Opened::No: return 0;
    case TicketKeys::Opened::Previous: return 2;
    case TicketKeys::Opened::Current: break;
  }
  // RFC 8446 appendix C.4: a ticket of TLS 1.3 is best used once
  return SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
}

// A session resumes only where its certificates, and whoever vouched for its client, still count.
void set_session_context(SSL_CTX* context, const ServerCertificates& certificates, bool clients) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> digest(EVP_MD_CTX_new(),
                                                                       EVP_MD_CTX_free);
  std::array<unsigned char, 32> id{};
  EVP_DigestInit_ex2(digest.get(), EVP_sha256(), nullptr);
  certificates.digest(digest.get());
  if (clients) {
    EVP_DigestUpdate(digest.get(), "clients", 7);
    const STACK_OF(X509_OBJECT)* trusted = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
    for (int i = 0; i < sk_X509_OBJECT_num(trusted); ++i) {
      const X509* authority = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(trusted, i));
      std::array<unsigned char, 32> own{};
      if (authority == nullptr) continue;
      X509_digest(authority, EVP_sha256(), own.data(), nullptr);
      EVP_DigestUpdate(digest.get(), own.data(), own.size());
    }
  }
  EVP_DigestFinal_ex(digest.get(), id.data(), nullptr);
  SSL_CTX_set_session_id_context(context, id.data(), id.size());
}

Status set_certificates(SSL_CTX* context, const ServerOptions& options,
                        std::vector<std::string>& warnings) {
  auto certificates = ServerCertificates::load(context, options, warnings);
  if (!certificates) return std::unexpected(certificates.error());
  set_session_context(context, *certificates, options.verify_client);
  auto companion = std::make_unique<Companion>(std::move(*certificates));
  companion->tickets = options.tickets;
  if (!companion->tickets) companion->tickets = std::make_shared<TicketKeys>(companion->clock);
  if (SSL_CTX_set_ex_data(context, companion_index(), companion.get()) != 1) {
    return fail(Errc::Tls, "cannot set up TLS: " + openssl_reason());
  }
  (void)companion.release();
  SSL_CTX_set_cert_cb(context, choose_certificate, nullptr);
  SSL_CTX_set_tlsext_servername_callback(context, acknowledge_name);
  SSL_CTX_set_tlsext_status_cb(context, staple);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticket_key);
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
  if (done && options.verify_client) done = ask_for_certificates(context, options.ca_file);
  if (done) done = set_certificates(context, options, result->warnings_);
  if (!done) return std::unexpected(done.error());
  return result;
}

std::unique_ptr<TlsStream> TlsContext::accept(std::unique_ptr<io::Stream>&& inner) const {
  return TlsStream::make(context_.get(), std::move(inner), TlsStream::Role::Server);
}

bool TlsContext::is_certified_for(const std::string& host) const {
  const auto* companion =
      static_cast<const Companion*>(SSL_CTX_get_ex_data(context_.get(), companion_index()));
  return companion->certificates.are_for(host);
}

}  // namespace wsproxy::tls
