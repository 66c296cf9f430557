#include "tls/tls_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "support/certificate.h"

namespace wsproxy::tls {
namespace {

using test::Certificate;
using test::TempFile;
using testing::AllOf;
using testing::HasSubstr;

// What an operator reads when the files cannot be used; "loaded" when they can.
std::string outcome(const std::string& cert_file, const std::string& key_file) {
  const auto context = TlsContext::load({.cert = cert_file, .key = key_file});
  if (context) return "loaded";
  EXPECT_EQ(context.error().code, Errc::Tls);
  return context.error().message();
}

TEST(TlsContext, LoadsCertificateAndKeyFromOneFileOrFromTwo) {
  const Certificate certificate;
  const TempFile cert(certificate.cert_pem);
  const TempFile key(certificate.key_pem);
  const TempFile both(certificate.key_pem + certificate.cert_pem);
  EXPECT_EQ(outcome(cert.path(), key.path()), "loaded");
  EXPECT_EQ(outcome(both.path(), ""), "loaded");
}

TEST(TlsContext, NamesAFileThatIsNotThere) {
  const TempFile cert(Certificate().cert_pem);
  EXPECT_THAT(outcome("/nonexistent/cert.pem", ""),
              AllOf(HasSubstr("certificate /nonexistent/cert.pem"),
                    HasSubstr("no such file or directory")));
  EXPECT_THAT(outcome(cert.path(), "/nonexistent/key.pem"),
              AllOf(HasSubstr("key /nonexistent/key.pem"), HasSubstr("no such file or directory")));
}

TEST(TlsContext, NamesAFileWithoutACertificate) {
  const TempFile garbage("not a certificate\n");
  EXPECT_THAT(outcome(garbage.path(), ""), HasSubstr("certificate " + garbage.path()));
}

TEST(TlsContext, NamesTheCertificateFileThatHoldsNoKey) {
  const TempFile cert(Certificate().cert_pem);
  EXPECT_THAT(outcome(cert.path(), ""),
              AllOf(HasSubstr("key " + cert.path()), HasSubstr("no private key in it")));
}

TEST(TlsContext, NamesBothFilesWhenTheKeyIsOfAnotherCertificate) {
  const TempFile cert(Certificate().cert_pem);
  const TempFile key(Certificate().key_pem);
  EXPECT_THAT(outcome(cert.path(), key.path()),
              AllOf(HasSubstr(cert.path()), HasSubstr(key.path())));
}

// The terminal of a daemon has nobody to ask, so it must not wait there.
TEST(TlsContext, AsksNobodyForAPassphrase) {
  const Certificate certificate;
  const TempFile cert(certificate.cert_pem);
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(
      BIO_new_mem_buf(certificate.key_pem.data(), static_cast<int>(certificate.key_pem.size())),
      BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  const TempFile locked;
  std::FILE* file = std::fopen(locked.path().c_str(), "w");
  ASSERT_NE(file, nullptr);
  const unsigned char passphrase[] = "secret";
  ASSERT_EQ(
      PEM_write_PrivateKey(file, key.get(), EVP_aes_128_cbc(), passphrase, 6, nullptr, nullptr), 1);
  std::fclose(file);
  EXPECT_THAT(outcome(cert.path(), locked.path()), HasSubstr("key " + locked.path()));
}

}  // namespace
}  // namespace wsproxy::tls
