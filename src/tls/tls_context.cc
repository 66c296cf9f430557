#include "tls/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string_view>

#include "tls/tls_stream.h"

namespace wsproxy::tls {
namespace {

// What OpenSSL says is wrong, without its numbers; the queue is empty afterwards.
std::string openssl_reason() {
  std::string reason;
  while (const unsigned long code = ERR_get_error()) {
    if (ERR_SYSTEM_ERROR(code)) {
      reason = describe_errno(ERR_GET_REASON(code));
      break;
    }
    if (const char* text = ERR_reason_error_string(code); reason.empty() && text != nullptr)
      reason = text;
  }
  ERR_clear_error();
  return reason.empty() ? "unknown error" : reason;
}

// A passphrase would be asked for on the terminal, where a daemon has none.
int no_passphrase(char*, int, int, void*) { return 0; }

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
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                   SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_cipher_list(context,
                          "ECDHE+AESGCM:ECDHE+CHACHA20");  // of TLS 1.2; forward secret, AEAD
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>("wsproxy"), 7);
  SSL_CTX_set_session_cache_mode(context,
                                 SSL_SESS_CACHE_OFF);  // tickets resume without memory of ours
  SSL_CTX_set_alpn_select_cb(context, select_alpn, nullptr);
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<std::shared_ptr<const TlsContext>> TlsContext::load(const std::string& cert_file,
                                                           const std::string& key_file) {
  ERR_clear_error();
  const auto failed = [](const std::string& what) {
    return fail(Errc::Tls, what + ": " + openssl_reason());
  };
  auto result = std::make_shared<TlsContext>();
  result->context_.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* context = result->context_.get();
  if (context == nullptr) return failed("cannot set up TLS");
  set_rules(context);
  if (SSL_CTX_use_certificate_chain_file(context, cert_file.c_str()) != 1) {
    return failed("certificate " + cert_file);
  }
  const std::string& key = key_file.empty() ? cert_file : key_file;
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const std::string reason = openssl_reason();
    // what OpenSSL says of a file without a key block that it can decode
    if (reason == "unsupported" || reason == "no start line") {
      return fail(Errc::Tls, "key " + key + ": there is no private key in it that can be read");
    }
    return fail(Errc::Tls, "key " + key + " for certificate " + cert_file + ": " + reason);
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return failed("certificate " + cert_file + " and key " + key + " do not belong together");
  }
  return result;
}

std::unique_ptr<TlsStream> TlsContext::accept(std::unique_ptr<io::Stream> inner) const {
  return std::make_unique<TlsStream>(SSL_new(context_.get()), std::move(inner));
}

}  // namespace wsproxy::tls
