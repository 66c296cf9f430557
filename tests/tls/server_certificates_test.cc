#include "tls/server_certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/certificate.h"
#include "support/ocsp.h"
#include "support/tls_client.h"
#include "tls/tls_context.h"

namespace wsproxy::tls {
namespace {

using test::Certificate;
using test::ocsp_response;
using test::TempFile;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Certificate, chain and key in one file.
struct Pem {
  explicit Pem(const test::CertificateOptions& options)
      : certificate(options),
        file(certificate.cert_pem + certificate.key_pem +
             (options.issuer == nullptr ? "" : options.issuer->cert_pem)) {}
  Certificate certificate;
  TempFile file;
};

class ServerCertificatesTest : public testing::Test {
 protected:
  void serve(std::vector<const Pem*> certificates, std::vector<std::string> ocsp = {}) {
    ServerOptions options{.cert = certificates[0]->file.path(), .ocsp = std::move(ocsp)};
    for (std::size_t i = 1; i < certificates.size(); ++i) {
      options.more.push_back({.cert = certificates[i]->file.path()});
    }
    auto context = TlsContext::load(options);
    ASSERT_TRUE(context) << context.error().message();
    context_ = *context;
  }

  // The common name of the certificate that is shown to who asks for `name`; with its OCSP response
  // in stapled_.
  std::string shown(const char* name, const char* signatures = nullptr,
                    int version = TLS1_3_VERSION) {
    test::TlsVisit visit(*context_);
    SSL* ssl = visit.client.ssl();
    SSL_set_max_proto_version(ssl, version);
    if (name != nullptr) SSL_set_tlsext_host_name(ssl, name);
    if (signatures != nullptr) SSL_set1_sigalgs_list(ssl, signatures);
    SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
    EXPECT_TRUE(visit.shake_hands()) << visit.server->handshake_failure();
    const unsigned char* der = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(ssl, static_cast<void*>(&der));
    stapled_.clear();
    if (size > 0)
      stapled_.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    const X509* certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == nullptr) return "";
    std::array<char, 64> text{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text.data(),
                              text.size());
    return text.data();
  }

  const Pem one_{{.name = "one", .alt = "DNS:one.example,DNS:*.desk.example"}};
  const Pem two_{{.name = "two", .alt = "DNS:two.example,DNS:a.desk.example"}};
  const Certificate authority_{{.name = "authority", .authority = true}};
  const Pem leaf_{{.name = "leaf", .alt = "DNS:leaf.example", .issuer = &authority_}};
  std::shared_ptr<const TlsContext> context_;
  std::string stapled_;
};

TEST_F(ServerCertificatesTest, WhoAsksForANameIsShownItsCertificate) {
  serve({&one_, &two_});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_EQ(shown("one.example", nullptr, version), "one");
    EXPECT_EQ(shown("two.example", nullptr, version), "two");
    EXPECT_EQ(shown("TWO.example", nullptr, version), "two");
  }
}

TEST_F(ServerCertificatesTest, WhoAsksForNoneOrAnotherIsShownTheFirst) {
  serve({&two_, &one_});
  EXPECT_EQ(shown(nullptr), "two");
  EXPECT_EQ(shown("three.example"), "two");
  EXPECT_EQ(shown("a.b.desk.example"), "two");
}

TEST_F(ServerCertificatesTest, ANameInFullGoesBeforeAWildcard) {
  serve({&one_, &two_});
  EXPECT_EQ(shown("a.desk.example"), "two");
  EXPECT_EQ(shown("b.desk.example"), "one");
}

TEST_F(ServerCertificatesTest, OfTwoKindsOfKeysTheClientGetsTheOneItKnows) {
  const Pem rsa{{.name = "rsa", .alt = "DNS:two.example", .rsa = true}};
  const Pem late{{.name = "late", .alt = "DNS:two.example"}};
  serve({&one_, &rsa, &two_, &late});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_EQ(shown("two.example", "RSA-PSS+SHA256", version), "rsa");
    EXPECT_EQ(shown("two.example", "ECDSA+SHA256", version), "two");
  }
}

TEST_F(ServerCertificatesTest, TheOneCertificateIsForAll) {
  serve({&one_});
  EXPECT_EQ(shown("two.example"), "one");
}

TEST_F(ServerCertificatesTest, EachNameOfACertificateIsOurs) {
  const Pem numeric{{.name = "n", .alt = "IP:127.0.0.1,IP:::1"}};
  serve({&one_, &two_, &numeric});
  for (const char* name : {"one.example", "two.example", "b.desk.example", "127.0.0.1", "::1"}) {
    EXPECT_TRUE(context_->is_certified_for(name)) << name;
  }
  for (const char* name : {"three.example", "desk.example", "127.0.0.2", ""}) {
    EXPECT_FALSE(context_->is_certified_for(name)) << name;
  }
}

TEST_F(ServerCertificatesTest, AnyFileThatCannotBeUsedIsNamed) {
  const auto context =
      TlsContext::load({.cert = one_.file.path(), .more = {{.cert = "/nonexistent/b.pem"}}});
  ASSERT_FALSE(context);
  EXPECT_THAT(context.error().message(), HasSubstr("certificate /nonexistent/b.pem: "));
  const auto mixed = TlsContext::load(
      {.cert = one_.file.path(), .more = {{.cert = two_.file.path(), .key = one_.file.path()}}});
  ASSERT_FALSE(mixed);
  EXPECT_THAT(mixed.error().message(), HasSubstr("do not belong together"));
}

TEST_F(ServerCertificatesTest, EachExpiredCertificateIsWarnedAbout) {
  const Pem old{{.name = "old", .from = -7200, .until = -3600}};
  serve({&one_, &old});
  EXPECT_THAT(context_->warnings(),
              ElementsAre(HasSubstr("certificate " + old.file.path() + " expired on ")));
}

// --- stapling ---

TEST_F(ServerCertificatesTest, StaplesAResponseToItsCertificateAndNoOther) {
  const std::string response = ocsp_response(leaf_.certificate, authority_);
  const TempFile file(response);
  serve({&one_, &leaf_}, {file.path()});
  EXPECT_THAT(context_->warnings(), IsEmpty());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_EQ(shown("leaf.example", nullptr, version), "leaf");
    EXPECT_EQ(stapled_, response);
    EXPECT_EQ(shown("one.example", nullptr, version), "one");
    EXPECT_EQ(stapled_, "");
  }
}

TEST_F(ServerCertificatesTest, TakesASignerThatTheAuthorityHasNamed) {
  const Certificate signer({.name = "signer", .issuer = &authority_, .ocsp_signer = true});
  const TempFile file(ocsp_response(leaf_.certificate, authority_, {.signer = &signer}));
  serve({&leaf_}, {file.path()});
  EXPECT_THAT(context_->warnings(), IsEmpty());
  shown("leaf.example");
  EXPECT_NE(stapled_, "");
}

TEST_F(ServerCertificatesTest, StaplesNothingThatClientsWouldRefuse) {
  const Certificate other({.name = "leaf", .alt = "DNS:leaf.example", .issuer = &authority_});
  const Certificate impostor({.name = "authority", .authority = true});
  const Certificate colleague({.name = "colleague", .issuer = &authority_});
  struct Case {
    std::string response;
    std::string warning;
  };
  const std::string good = ocsp_response(leaf_.certificate, authority_);
  const std::vector<Case> cases = {
      {ocsp_response(leaf_.certificate, authority_, {.from = -7200, .until = -1}),
       "it has expired"},
      {ocsp_response(leaf_.certificate, authority_, {.from = 3600, .until = 7200}),
       "it is not valid yet"},
      {ocsp_response(leaf_.certificate, authority_, {.endless = true}),
       "it does not say how long it holds"},
      {ocsp_response(other, authority_), "it is about another certificate"},
      {ocsp_response(leaf_.certificate, impostor), "it is not signed by the authority"},
      {ocsp_response(leaf_.certificate, authority_, {.signer = &impostor}),
       "it is not signed by the authority"},
      {ocsp_response(leaf_.certificate, authority_, {.signer = &colleague}),
       "it is not signed by the authority"},
      {"", "not one in DER"},
      {good.substr(0, good.size() - 1), "not one in DER"},
      {good + "x", "not one in DER"},
      {std::string("\x30\x03\x0a\x01\x06", 5), "it says only: unauthorized"},
      {std::string(70000, 'x'), "larger than 65536 bytes"},
  };
  for (const Case& one : cases) {
    const TempFile file(one.response);
    serve({&leaf_}, {file.path()});
    EXPECT_THAT(context_->warnings(),
                ElementsAre(testing::AllOf(HasSubstr("OCSP response " + file.path() + ": "),
                                           HasSubstr(one.warning), HasSubstr("not stapled"))));
    shown("leaf.example");
    EXPECT_EQ(stapled_, "") << one.warning;
  }
  serve({&leaf_}, {"/nonexistent/ocsp.der"});
  EXPECT_THAT(context_->warnings(), ElementsAre(HasSubstr("no such file or directory")));
  serve({&leaf_}, {"/dev/null"});
  EXPECT_THAT(context_->warnings(), ElementsAre(HasSubstr("not a regular file")));
}

TEST_F(ServerCertificatesTest, WithoutTheIssuersCertificateNameAndNumberCount) {
  const TempFile bare(leaf_.certificate.cert_pem + leaf_.certificate.key_pem);
  const std::string response = ocsp_response(leaf_.certificate, authority_);
  const TempFile file(response);
  auto context = TlsContext::load({.cert = bare.path(), .ocsp = {file.path()}});
  ASSERT_TRUE(context);
  EXPECT_THAT((*context)->warnings(), IsEmpty());
  context_ = *context;
  shown(nullptr);
  EXPECT_EQ(stapled_, response);
}

TEST_F(ServerCertificatesTest, SaysThatAResponseTellsOfARevokedCertificate) {
  const TempFile file(ocsp_response(leaf_.certificate, authority_, {.revoked = true}));
  serve({&leaf_}, {file.path()});
  EXPECT_THAT(context_->warnings(), ElementsAre(HasSubstr("certificate is revoked")));
}

TEST_F(ServerCertificatesTest, AResponseThatExpiresIsStapledNoMoreWhichIsSaidOnce) {
  const TempFile file(ocsp_response(leaf_.certificate, authority_, {.until = 2}));
  serve({&leaf_}, {file.path()});
  EXPECT_THAT(context_->warnings(), IsEmpty());
  testing::internal::CaptureStderr();
  const auto given_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  do {
    shown("leaf.example");
  } while (!stapled_.empty() && std::chrono::steady_clock::now() < given_up);
  EXPECT_EQ(stapled_, "");
  shown("leaf.example");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("OCSP response " + file.path() + " has expired"));
  EXPECT_EQ(log.find("has expired"), log.rfind("has expired")) << log;
}

}  // namespace
}  // namespace wsproxy::tls
