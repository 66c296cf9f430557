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
std::string outcome(const ServerOptions& options) {
  const auto context = TlsContext::load(options);
  if (context) return "loaded";
  EXPECT_EQ(context.error().code, Errc::Tls);
  return context.error().message();
}

std::string outcome(const std::string& cert_file, const std::string& key_file) {
  return outcome({.cert = cert_file, .key = key_file});
}

// The one certificate of tests that are about something else.
std::string cert_file() {
  static const Certificate certificate;
  static const TempFile both(certificate.key_pem + certificate.cert_pem);
  return both.path();
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

TEST(TlsContext, OpensAKeyWithItsPasswordAndNoOther) {
  const Certificate certificate({.password = "secret"});
  const TempFile both(certificate.key_pem + certificate.cert_pem);
  EXPECT_EQ(outcome({.cert = both.path(), .key_password = Secret("secret")}), "loaded");
  EXPECT_EQ(outcome({.cert = both.path(), .key_password = Secret("wrong")}),
            "key " + both.path() + " is encrypted, and the password does not open it");
  EXPECT_EQ(outcome({.cert = both.path(), .key_password = Secret(std::string(2000, 'x'))}),
            "key " + both.path() + " is encrypted, and the password does not open it");
  // the terminal of a daemon has nobody to ask, so it must not wait there
  EXPECT_EQ(outcome({.cert = both.path()}),
            "key " + both.path() + " is encrypted, and no password was given");
}

TEST(TlsContext, APasswordThatIsNotNeededDoesNoHarm) {
  EXPECT_EQ(outcome({.cert = cert_file(), .key_password = Secret("secret")}), "loaded");
}

TEST(TlsContext, RefusesCipherListsThatSelectNothing) {
  EXPECT_EQ(outcome({.cert = cert_file(), .ciphers = "HIGH"}), "loaded");
  EXPECT_EQ(outcome({.cert = cert_file(), .ciphers = "FOO:BAR"}),
            "ciphers 'FOO:BAR': no cipher match");
  EXPECT_EQ(outcome({.cert = cert_file(), .ciphersuites = "TLS_AES_128_GCM_SHA256"}), "loaded");
  EXPECT_EQ(outcome({.cert = cert_file(), .ciphersuites = "TLS_AES_128_GCM_SHA256:TLS_FOO"}),
            "ciphersuites: 'TLS_FOO' is no cipher suite of TLS 1.3");
}

TEST(TlsContext, WarnsOfTheItemsOfACipherListThatSelectNothing) {
  const auto context =
      TlsContext::load({.cert = cert_file(), .ciphers = "ECDHE+AESGCM:ECDHE+AESGMC:!aNULL"});
  ASSERT_TRUE(context);
  EXPECT_THAT((*context)->warnings(), testing::ElementsAre("ciphers: 'ECDHE+AESGMC' selects none"));
}

TEST(TlsContext, WarnsOfACertificateThatIsNotValidToday) {
  const Certificate expired({.from = -7200, .until = -3600});
  const TempFile old(expired.key_pem + expired.cert_pem);
  auto context = TlsContext::load({.cert = old.path()});
  ASSERT_TRUE(context);
  ASSERT_EQ((*context)->warnings().size(), 1U);
  EXPECT_THAT((*context)->warnings()[0], HasSubstr("certificate " + old.path() + " expired on "));

  const Certificate early({.from = 3600, .until = 7200});
  const TempFile tomorrow(early.key_pem + early.cert_pem);
  context = TlsContext::load({.cert = tomorrow.path()});
  ASSERT_TRUE(context);
  ASSERT_EQ((*context)->warnings().size(), 1U);
  EXPECT_THAT((*context)->warnings()[0], HasSubstr("is not valid before "));

  EXPECT_TRUE((*TlsContext::load({.cert = cert_file()}))->warnings().empty());
}

TEST(TlsContext, NamesAFileOfAuthoritiesThatCannotBeUsed) {
  const ServerOptions missing{
      .cert = cert_file(), .verify_client = true, .ca_file = "/nonexistent/ca.pem"};
  EXPECT_THAT(outcome(missing), AllOf(HasSubstr("authorities /nonexistent/ca.pem: "),
                                      HasSubstr("no such file or directory")));
  const TempFile garbage("not a certificate\n");
  EXPECT_EQ(outcome({.cert = cert_file(), .verify_client = true, .ca_file = garbage.path()}),
            "authorities " + garbage.path() + ": there is no certificate in it");
}

TEST(TlsContext, TakesTheSystemsAuthoritiesWithoutAFile) {
  EXPECT_EQ(outcome({.cert = cert_file(), .verify_client = true}), "loaded");
}

}  // namespace
}  // namespace wsproxy::tls
