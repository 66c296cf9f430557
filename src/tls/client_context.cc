#include "tls/client_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <new>

#include "base/endpoint.h"
#include "base/hex.h"
#include "tls/openssl.h"
#include "tls/tls_stream.h"

namespace wsproxy::tls {
namespace {

int note_target_refusal(int ok, X509_STORE_CTX* store) {
  if (ok != 1) {
    note_refusal(ssl_of(store), [store] {
      return refusal(X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_current_cert(store));
    });
  }
  return ok;
}

// Of OpenSSL's setters, which fail for nothing else.
void need_memory(int done) {
  if (done == 1) return;
  ERR_clear_error();
  throw std::bad_alloc();
}

}  // namespace

// Stands in for OpenSSL's whole verification: where there is a pin, only the pin counts.
struct PinCheck {
  static int verify(X509_STORE_CTX* store, void* argument) {
    const ClientContext& context = *static_cast<const ClientContext*>(argument);
    ClientContext::Sha256 digest{};
    unsigned size = 0;
    const X509* certificate = X509_STORE_CTX_get0_cert(store);
    if (certificate != nullptr &&
        X509_digest(certificate, EVP_sha256(), digest.data(), &size) == 1 &&
        digest == context.pin_) {
      X509_STORE_CTX_set_error(store, X509_V_OK);
      return 1;
    }
    note_refusal(ssl_of(store), [&digest] {
      std::string hex;
      for (const unsigned char byte : digest) append_hex(hex, byte);
      return "certificate is not the pinned one; its sha256 is " + hex;
    });
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
  }
};

void ClientContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<ClientContext::Sha256> ClientContext::parse_pin(std::string_view text) {
  Sha256 pin{};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    // as `openssl x509 -fingerprint` writes it: AB:CD:...
    if (text[i] == ':' && digits % 2 == 0 && digits > 0 && text[i - 1] != ':') continue;
    const int value = hex_value(text[i]);
    if (value < 0 || digits == pin.size() * 2) {
      digits = 0;
      break;
    }
    pin[digits / 2] = static_cast<unsigned char>(pin[digits / 2] << 4 | value);
    ++digits;
  }
  if (digits == pin.size() * 2 && !text.ends_with(':')) return pin;
  return fail(Errc::Invalid, "pin '" + std::string(text) +
                                 "': expected the SHA-256 of a certificate, 64 hexadecimal digits");
}

Result<std::shared_ptr<const ClientContext>> ClientContext::load(const ClientOptions& options) {
  ERR_clear_error();
  const bool pinned = !options.pin_sha256.empty();
  if (pinned + options.insecure + !options.ca_file.empty() > 1) {
    return fail(
        Errc::Invalid,
        "a pinned certificate, a file of authorities and no check at all exclude each other");
  }
  if (options.cert.empty() && !options.key.empty()) {
    return fail(Errc::Invalid, "key " + options.key + ": there is no certificate to go with it");
  }
  auto result = std::make_shared<ClientContext>();
  result->context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = result->context_.get();
  if (context == nullptr) return fail(Errc::Tls, "cannot set up TLS: " + openssl_reason());
  set_common_rules(context);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);

  if (pinned) {
    const auto pin = parse_pin(options.pin_sha256);
    if (!pin) return std::unexpected(pin.error());
    result->pin_ = *pin;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context, PinCheck::verify, result.get());
  } else if (options.insecure) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    result->warnings_.emplace_back(
        "the target's certificate is not checked: who is in between can read and change "
        "everything");
  } else {
    if (const Status trusted = trust(context, options.ca_file); !trusted) {
      return std::unexpected(trusted.error());
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, note_target_refusal);
  }
  result->checks_name_ = !pinned && !options.insecure;

  if (!options.cert.empty()) {
    const Status used = use_certificate(context, options.cert, options.key, options.key_password);
    if (!used) return std::unexpected(used.error());
    if (std::string odd = certificate_warning(context, options.cert); !odd.empty()) {
      result->warnings_.push_back(std::move(odd));
    }
  }
  return result;
}

std::unique_ptr<TlsStream> ClientContext::connect(std::unique_ptr<io::Stream> inner,
                                                  std::string_view host) const {
  auto stream = TlsStream::make(context_.get(), std::move(inner), TlsStream::Role::Client);
  SSL* ssl = stream->ssl();
  // "desk.example." and "desk.example" are one name; certificates and SNI have it without the dot
  std::string name(host.size() > 1 && host.ends_with('.') ? host.substr(0, host.size() - 1) : host);
  const bool numeric = SocketAddress::numeric(name, 0).has_value();
  if (!numeric) {  // RFC 6066 section 3: no addresses in SNI
    need_memory(SSL_set_tlsext_host_name(ssl, name.c_str()));
  }
  if (checks_name_) {
    X509_VERIFY_PARAM* rules = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (numeric) {
      name.resize(std::min(name.find('%'), name.size()));  // a zone is of this machine only
      need_memory(X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str()));
    } else {
      need_memory(X509_VERIFY_PARAM_set1_host(rules, name.c_str(), name.size()));
    }
  }
  return stream;
}

}  // namespace wsproxy::tls
