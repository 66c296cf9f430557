#include "tls/openssl.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/endpoint.h"
#include "base/log.h"
#include "base/unique_fd.h"

namespace wsproxy::tls {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

// Where distributions keep all authorities in one file; OpenSSL itself knows only its own directory.
constexpr std::array kBundles = {"/etc/ssl/certs/ca-certificates.crt",
                                 "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

struct Passphrase {
  const Secret& secret;
  bool asked = false;
};

// Without a callback of ours OpenSSL would ask on the terminal, where a daemon has none.
int give_passphrase(char* buffer, int size, int, void* argument) {
  auto* passphrase = static_cast<Passphrase*>(argument);
  if (passphrase == nullptr) return -1;
  passphrase->asked = true;
  const std::string_view text = passphrase->secret.view();
  if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, text.data(), text.size());
  return static_cast<int>(text.size());
}

std::string string_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return log::printable({data, static_cast<std::size_t>(std::max(size, 0L))});
}

std::string time_text(const ASN1_TIME* time) {
  const std::unique_ptr<BIO, Free> out(BIO_new(BIO_s_mem()));
  ASN1_TIME_print(out.get(), time);
  return string_of(out.get());
}

std::string address_text(const ASN1_OCTET_STRING* address) {
  const unsigned char* bytes = ASN1_STRING_get0_data(address);
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (ASN1_STRING_length(address) == 4) {
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, bytes, 4);
    return SocketAddress(reinterpret_cast<const sockaddr*>(&v4), sizeof v4).host();
  }
  if (ASN1_STRING_length(address) != 16) return "?";
  v6.sin6_family = AF_INET6;
  std::memcpy(&v6.sin6_addr, bytes, 16);
  return SocketAddress(reinterpret_cast<const sockaddr*>(&v6), sizeof v6).host();
}

// The names that a certificate is for, at most four of them.
std::string names_of(const X509* certificate) {
  constexpr int kMost = 4;
  const std::unique_ptr<GENERAL_NAMES, Free> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string text;
  int count = 0;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    if (count++ == kMost) return text + ", ...";
    if (!text.empty()) text += ", ";
    if (name->type == GEN_IPADD) {
      text += address_text(name->d.iPAddress);
    } else {
      const auto* data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
      text += log::printable({data, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))});
    }
  }
  return text.empty() ? subject_name(certificate) : text;
}

}  // namespace

bool kernel_has_tls() {
  static const bool has = [] {
    const UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // who has it finds fault with a socket that is not connected; the others do not know the name
    return ::setsockopt(probe.get(), IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") != 0 &&
           errno == ENOTCONN;
  }();
  return has;
}

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

void set_common_rules(SSL_CTX* context) {
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_default_passwd_cb(context, give_passphrase);
}

Status use_certificate(SSL_CTX* context, const std::string& cert_file, const std::string& key_file,
                       const Secret& password) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, cert_file.c_str()) != 1) {
    std::string reason = openssl_reason();
    if (reason == "no start line") reason = "there is no certificate in it";
    return fail(Errc::Tls, "certificate " + cert_file + ": " + reason);
  }
  const std::string& key = key_file.empty() ? cert_file : key_file;
  Passphrase passphrase{password};
  SSL_CTX_set_default_passwd_cb_userdata(context, &passphrase);
  const int loaded = SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM);
  SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
  if (loaded == 1 && SSL_CTX_check_private_key(context) == 1) return {};

  const std::string reason = openssl_reason();
  const std::string which = "key " + key;
  // a key that does not belong to the certificate is refused by either call
  if (loaded == 1 || reason == "key values mismatch" || reason == "key type mismatch") {
    return fail(Errc::Tls, "certificate " + cert_file + " and " + which +
                               " do not belong together: " + reason);
  }
  if (passphrase.asked) {
    return fail(Errc::Tls,
                which + (password.empty() ? " is encrypted, and no password was given"
                                          : " is encrypted, and the password does not open it"));
  }
  // what OpenSSL says of a file without a key block that it can decode
  if (reason == "unsupported" || reason == "no start line") {
    return fail(Errc::Tls, which + ": there is no private key in it that can be read");
  }
  return fail(Errc::Tls, which + " for certificate " + cert_file + ": " + reason);
}

Status trust(SSL_CTX* context, const std::string& ca_file) {
  ERR_clear_error();
  if (!ca_file.empty()) {
    if (SSL_CTX_load_verify_file(context, ca_file.c_str()) == 1) return {};
    std::string reason = openssl_reason();
    if (reason == "no certificate or crl found" || reason == "no start line") {
      reason = "there is no certificate in it";
    }
    return fail(Errc::Tls, "authorities " + ca_file + ": " + reason);
  }
  SSL_CTX_set_default_verify_paths(context);
  const auto bundle =
      std::ranges::find_if(kBundles, [](const char* file) { return ::access(file, R_OK) == 0; });
  if (bundle != kBundles.end()) SSL_CTX_load_verify_file(context, *bundle);
  ERR_clear_error();
  return {};
}

std::vector<std::string> system_places() {
  std::vector<std::string> places(kBundles.begin(), kBundles.end());
  // what the files in the next ones are links to
  places.insert(places.end(), {"/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
                               "/etc/ssl/openssl.cnf"});
  places.insert(places.end(), {X509_get_default_cert_area(), X509_get_default_cert_dir(),
                               X509_get_default_cert_file()});
  for (const char* variable : {"SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF"}) {
    if (const char* place = std::getenv(variable)) places.emplace_back(place);
  }
  return places;
}

std::string certificate_warning(SSL_CTX* context, const std::string& cert_file) {
  const X509* certificate = SSL_CTX_get0_certificate(context);
  if (certificate == nullptr) return "";
  const ASN1_TIME* until = X509_get0_notAfter(certificate);
  if (X509_cmp_current_time(until) < 0) {
    return "certificate " + cert_file + " expired on " + time_text(until) +
           ": browsers will refuse it";
  }
  const ASN1_TIME* from = X509_get0_notBefore(certificate);
  if (X509_cmp_current_time(from) > 0) {
    return "certificate " + cert_file + " is not valid before " + time_text(from);
  }
  return "";
}

std::string subject_name(const X509* certificate) {
  if (certificate == nullptr) return "";
  const X509_NAME* name = X509_get_subject_name(certificate);
  const std::unique_ptr<BIO, Free> out(BIO_new(BIO_s_mem()));
  const int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (index < 0) {
    X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253);
  } else {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, index);
    ASN1_STRING_print_ex(out.get(), X509_NAME_ENTRY_get_data(entry), ASN1_STRFLGS_UTF8_CONVERT);
  }
  return string_of(out.get());
}

std::string refusal(int error, const X509* certificate) {
  switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return certificate == nullptr ? "certificate is for another name"
                                    : "certificate is for " + names_of(certificate);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "self-signed certificate";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "certificate is signed by an unknown authority";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return certificate == nullptr
                 ? "certificate has expired"
                 : "certificate of " + subject_name(certificate) + " expired on " +
                       time_text(X509_get0_notAfter(certificate));
    default: return X509_verify_cert_error_string(error);
  }
}

SSL* ssl_of(X509_STORE_CTX* store) {
  return static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
}

}  // namespace wsproxy::tls
