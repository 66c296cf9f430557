// Keys and certificates made on the spot: a test keeps none that could expire.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
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

/// A P-256 key and a certificate for "localhost" that it signed itself, both as PEM.
struct Certificate {
  std::string key_pem;
  std::string cert_pem;

  Certificate() {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                  EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> cert(X509_new(), X509_free);
    X509_set_version(cert.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert.get()), 3600);
    X509_set_pubkey(cert.get(), key.get());
    X509_NAME* name = X509_get_subject_name(cert.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(cert.get(), name);
    EXPECT_GT(X509_sign(cert.get(), key.get(), EVP_sha256()), 0);

    const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PrivateKey(memory.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    key_pem = drain(memory.get());
    PEM_write_bio_X509(memory.get(), cert.get());
    cert_pem = drain(memory.get());
  }

 private:
  static std::string drain(BIO* memory) {
    std::array<char, 4096> piece{};
    std::string out;
    for (int n = 0; (n = BIO_read(memory, piece.data(), piece.size())) > 0;) {
      out.append(piece.data(), static_cast<std::size_t>(n));
    }
    return out;
  }
};

}  // namespace wsproxy::test
