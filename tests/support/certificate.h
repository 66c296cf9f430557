// Keys and certificates made on the spot: a test keeps none that could expire.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>

namespace wsproxy::test {

/// A file of its own that goes with the object.
class TempFile {
 public:
  explicit TempFile(const std::string& text = "") : path_(testing::TempDir() + "wsproxy-XXXXXX") {
    const int fd = ::mkstemp(path_.data());
    EXPECT_GE(fd, 0) << path_;
    EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::close(fd);
  }
  ~TempFile() { ::unlink(path_.c_str()); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Certificate;

// NOLINTBEGIN(readability-redundant-member-init): see tls/options.h
struct CertificateOptions {
  std::string name = "localhost";       ///< common name of the subject
  std::string alt{};                    ///< "DNS:a.example,IP:127.0.0.1"
  const Certificate* issuer = nullptr;  ///< null: signed by itself
  bool authority = false;               ///< may sign others
  long from = -3600;                    ///< seconds from now
  long until = 3600;
  std::string password{};  ///< of the key; empty: not encrypted
  bool rsa = false;        ///< a key of RSA with 2048 bits
  bool ocsp_signer = false;
};
// NOLINTEND(readability-redundant-member-init)

/// A key (P-256 by default) and a certificate, both as PEM.
struct Certificate {
  std::string key_pem;
  std::string cert_pem;
  std::string sha256;  ///< of the certificate, in hex

  explicit Certificate(const CertificateOptions& options = {})
      : key_(options.rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), EVP_PKEY_free),
        cert_(X509_new(), X509_free) {
    static long serial = 0;
    X509* cert = cert_.get();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), options.from);
    X509_gmtime_adj(X509_getm_notAfter(cert), options.until);
    X509_set_pubkey(cert, key_.get());
    X509_NAME* name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(options.name.c_str()), -1, -1,
                               0);
    const Certificate& issuer = options.issuer == nullptr ? *this : *options.issuer;
    X509_set_issuer_name(cert, X509_get_subject_name(issuer.cert_.get()));
    if (!options.alt.empty()) add_extension(NID_subject_alt_name, options.alt);
    if (options.authority) add_extension(NID_basic_constraints, "critical,CA:TRUE");
    if (options.ocsp_signer) add_extension(NID_ext_key_usage, "OCSPSigning");
    EXPECT_GT(X509_sign(cert, issuer.key_.get(), EVP_sha256()), 0);

    const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
    const auto* password = reinterpret_cast<const unsigned char*>(options.password.data());
    PEM_write_bio_PKCS8PrivateKey(memory.get(), key_.get(),
                                  options.password.empty() ? nullptr : EVP_aes_128_cbc(),
                                  reinterpret_cast<const char*>(password),
                                  static_cast<int>(options.password.size()), nullptr, nullptr);
    key_pem = drain(memory.get());
    PEM_write_bio_X509(memory.get(), cert);
    cert_pem = drain(memory.get());
    std::array<unsigned char, 32> digest{};
    X509_digest(cert, EVP_sha256(), digest.data(), nullptr);
    for (const unsigned char byte : digest) {
      sha256 += {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
    }
  }

  [[nodiscard]] X509* x509() const { return cert_.get(); }
  [[nodiscard]] EVP_PKEY* key() const { return key_.get(); }

 private:
  void add_extension(int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    EXPECT_NE(extension, nullptr) << value;
    X509_add_ext(cert_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }

  static std::string drain(BIO* memory) {
    std::array<char, 4096> piece{};
    std::string out;
    for (int n = 0; (n = BIO_read(memory, piece.data(), piece.size())) > 0;) {
      out.append(piece.data(), static_cast<std::size_t>(n));
    }
    return out;
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> cert_;
};

}  // namespace wsproxy::test
