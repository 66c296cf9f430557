#include "tls/server_certificates.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "tls/openssl.h"

namespace wsproxy::tls {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

}  // namespace

void ServerCertificates::Free::operator()(X509* certificate) const { X509_free(certificate); }
void ServerCertificates::Free::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
void ServerCertificates::Free::operator()(STACK_OF(X509) * chain) const {
  sk_X509_pop_free(chain, X509_free);
}

Result<ServerCertificates::Entry> ServerCertificates::load_entry(
    SSL_CTX* context, const CertificateFiles& files, const Secret& password,
    std::vector<std::string>& warnings) {
  if (const Status used = use_certificate(context, files.cert, files.key, password); !used) {
    return std::unexpected(used.error());
  }
  if (std::string odd = certificate_warning(context, files.cert); !odd.empty()) {
    warnings.push_back(std::move(odd));
  }
  Entry entry;
  entry.certificate.reset(SSL_CTX_get0_certificate(context));
  X509_up_ref(entry.certificate.get());
  entry.key.reset(SSL_CTX_get0_privatekey(context));
  EVP_PKEY_up_ref(entry.key.get());
  STACK_OF(X509)* chain = nullptr;
  // SSL_CTX_get0_chain_certs, without its macro's hidden conversion
  SSL_CTX_ctrl(context, SSL_CTRL_GET_CHAIN_CERTS, 0, static_cast<void*>(&chain));
  if (chain != nullptr) entry.chain.reset(X509_chain_up_ref(chain));
  return entry;
}

Result<ServerCertificates> ServerCertificates::load(SSL_CTX* context, const ServerOptions& options,
                                                    std::vector<std::string>& warnings) {
  ServerCertificates result;
  auto first = load_entry(context, {options.cert, options.key}, options.key_password, warnings);
  if (!first) return std::unexpected(first.error());
  result.entries_.push_back(std::move(*first));
  for (const CertificateFiles& files : options.more) {
    // OpenSSL reads files into contexts, and a context has room for one certificate of a kind
    const std::unique_ptr<SSL_CTX, FreeContext> scratch(SSL_CTX_new(TLS_server_method()));
    if (!scratch) return fail(Errc::Tls, "cannot set up TLS: " + openssl_reason());
    set_common_rules(scratch.get());
    SSL_CTX_set_security_level(scratch.get(), SSL_CTX_get_security_level(context));
    auto entry = load_entry(scratch.get(), files, options.key_password, warnings);
    if (!entry) return std::unexpected(entry.error());
    result.entries_.push_back(std::move(*entry));
  }
  for (const std::string& file : options.ocsp) {
    const Status attached = result.attach(file, warnings);
    if (!attached) warnings.push_back(attached.error().message() + "; it is not stapled");
  }
  return result;
}

Status ServerCertificates::attach(const std::string& ocsp_file,
                                  std::vector<std::string>& warnings) {
  auto response = OcspResponse::read(ocsp_file);
  if (!response) return std::unexpected(response.error());
  const auto entry = std::ranges::find_if(entries_, [&](const Entry& candidate) {
    return response->finds(candidate.certificate.get());
  });
  if (entry == entries_.end()) {
    return fail(Errc::Tls, "OCSP response " + ocsp_file + ": it is about another certificate");
  }
  const Status good = response->check(entry->certificate.get(), entry->chain.get(),
                                      std::chrono::system_clock::now());
  if (!good) return good;
  if (response->says_revoked()) {
    warnings.push_back("OCSP response " + ocsp_file +
                       " says that the certificate is revoked: browsers will refuse it");
  }
  entry->ocsp = std::move(*response);
  return {};
}

std::vector<const ServerCertificates::Entry*> ServerCertificates::fitting(const char* name) const {
  std::vector<const Entry*> found;
  if (name == nullptr) return found;
  for (const unsigned flags :
       {X509_CHECK_FLAG_NO_WILDCARDS, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS}) {
    for (const Entry& entry : entries_) {
      if (X509_check_host(entry.certificate.get(), name, 0, flags, nullptr) != 1) continue;
      const int kind = EVP_PKEY_get_base_id(entry.key.get());
      const bool taken = std::ranges::any_of(found, [kind](const Entry* other) {
        return EVP_PKEY_get_base_id(other->key.get()) == kind;
      });
      if (!taken) found.push_back(&entry);
    }
    if (!found.empty()) break;
  }
  return found;
}

bool ServerCertificates::choose(SSL* ssl) const {
  if (entries_.size() == 1) return true;
  const auto chosen = fitting(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
  if (chosen.empty()) return true;  // the context's, which is the first
  SSL_certs_clear(ssl);
  return std::ranges::all_of(chosen, [ssl](const Entry* entry) {
    return SSL_use_cert_and_key(ssl, entry->certificate.get(), entry->key.get(), entry->chain.get(),
                                1) == 1;
  });
}

bool ServerCertificates::staple(SSL* ssl) const {
  const X509* shown = SSL_get_certificate(ssl);
  const auto entry = std::ranges::find_if(
      entries_, [shown](const Entry& one) { return one.certificate.get() == shown; });
  if (entry == entries_.end() || !entry->ocsp) return false;
  if (!entry->ocsp->is_fresh(std::chrono::system_clock::now())) {
    if (!std::exchange(entry->expiry_told, true)) {
      log::warning("OCSP response %s has expired; it is not stapled any more",
                   entry->ocsp->file().c_str());
    }
    return false;
  }
  const auto& der = entry->ocsp->der();
  void* copy = OPENSSL_memdup(der.data(), der.size());
  if (copy == nullptr) return false;
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(der.size()));  // owns it now
  return true;
}

bool ServerCertificates::are_for(const std::string& host) const {
  const bool yes = std::ranges::any_of(entries_, [&host](const Entry& entry) {
    X509* certificate = entry.certificate.get();
    return X509_check_host(certificate, host.data(), host.size(),
                           X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1 ||
           X509_check_ip_asc(certificate, host.c_str(), 0) == 1;
  });
  ERR_clear_error();
  return yes;
}

void ServerCertificates::digest(EVP_MD_CTX* digest) const {
  for (const Entry& entry : entries_) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> own{};
    unsigned size = 0;
    X509_digest(entry.certificate.get(), EVP_sha256(), own.data(), &size);
    EVP_DigestUpdate(digest, own.data(), size);
  }
}

}  // namespace wsproxy::tls
