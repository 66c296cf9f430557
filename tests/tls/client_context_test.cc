#include "tls/client_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <string>
#include <vector>

#include "support/builders.h"
#include "support/certificate.h"
#include "support/tls_pair.h"
#include "tls/openssl.h"

namespace wsproxy::tls {
namespace {

using test::Certificate;
using test::serve;
using test::TempFile;
using test::TlsPair;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::shared_ptr<const ClientContext> loaded(const ClientOptions& options) {
  auto context = ClientContext::load(options);
  EXPECT_TRUE(context) << context.error().message();
  return std::move(*context);
}

std::string outcome(const ClientOptions& options) {
  const auto context = ClientContext::load(options);
  return context ? "loaded" : context.error().message();
}

class ClientContextTest : public testing::Test {
 protected:
  Certificate issued(std::string alt, std::string name = "vnc") {
    return Certificate({.name = std::move(name), .alt = std::move(alt), .issuer = &authority_});
  }
  // What the client says of a server that shows `certificate`; "" if it is content.
  std::string judge(const Certificate& certificate, std::string_view host) {
    return judge(certificate, host, {.ca_file = ca_.path()});
  }
  static std::string judge(const Certificate& certificate, std::string_view host,
                           const ClientOptions& options) {
    const auto context = loaded(options);
    return TlsPair(*serve(certificate), *context, host).shake_hands();
  }

  const Certificate authority_{{.name = "Test Authority", .authority = true}};
  const TempFile ca_{authority_.cert_pem};
};

// --- authorities and names ---

TEST_F(ClientContextTest, TakesACertificateOfItsAuthorityForTheNameDialled) {
  EXPECT_EQ(judge(issued("DNS:desk.example"), "desk.example"), "");
  EXPECT_EQ(judge(issued("DNS:desk.example"), "DESK.example"), "");
  EXPECT_EQ(judge(issued("DNS:desk.example"), "desk.example."), "")
      << "one name with a dot or without";
  EXPECT_EQ(judge(issued("DNS:*.example.org"), "desk.example.org"), "");
  EXPECT_EQ(judge(issued("", "desk.example"), "desk.example"), "")
      << "old ones have the common name only";
  EXPECT_EQ(judge(issued("IP:127.0.0.1"), "127.0.0.1"), "");
  EXPECT_EQ(judge(issued("IP:::1"), "::1"), "");
  EXPECT_EQ(judge(issued("IP:fe80::1"), "fe80::1%lo"), "") << "the zone is ours alone";
}

TEST_F(ClientContextTest, RefusesACertificateForAnotherName) {
  EXPECT_EQ(judge(issued("DNS:other.example"), "desk.example"), "certificate is for other.example");
  EXPECT_EQ(judge(issued("", "other.example"), "desk.example"), "certificate is for other.example");
  EXPECT_EQ(judge(issued("DNS:other.example", "desk.example"), "desk.example"),
            "certificate is for other.example")
      << "the common name counts only where there is no other";
  EXPECT_EQ(judge(issued("DNS:d*.example"), "desk.example"), "certificate is for d*.example");
  EXPECT_EQ(judge(issued("DNS:127.0.0.1,IP:127.0.0.2,IP:::1"), "127.0.0.1"),
            "certificate is for 127.0.0.1, 127.0.0.2, [::1]")
      << "an address has to be there as one";
  EXPECT_EQ(judge(issued("DNS:a,DNS:b,DNS:c,DNS:d,DNS:e"), "desk.example"),
            "certificate is for a, b, c, d, ...");
}

TEST_F(ClientContextTest, NamesInCertificatesCannotHarmTheLog) {
  EXPECT_EQ(judge(issued("", "evil\n\x1b[2J"), "desk.example"),
            "certificate is for evil\\x0a\\x1b[2J");
}

TEST_F(ClientContextTest, RefusesWhoeverItsAuthorityDidNotSign) {
  const Certificate self_signed({.name = "desk.example"});
  EXPECT_EQ(judge(self_signed, "desk.example"), "self-signed certificate");
  const Certificate other({.name = "Other Authority", .authority = true});
  const Certificate foreign({.name = "desk.example", .issuer = &other});
  EXPECT_EQ(judge(foreign, "desk.example"), "certificate is signed by an unknown authority");
  EXPECT_EQ(judge(issued("DNS:desk.example"), "desk.example", {}),
            "certificate is signed by an unknown authority")
      << "the system knows nothing of ours";
}

TEST_F(ClientContextTest, TakesASelfSignedCertificateThatIsItsOwnAuthority) {
  const Certificate self_signed({.name = "desk.example"});
  const TempFile file(self_signed.cert_pem);
  EXPECT_EQ(judge(self_signed, "desk.example", {.ca_file = file.path()}), "");
}

TEST_F(ClientContextTest, RefusesACertificateOutOfItsTime) {
  const Certificate old({.name = "desk.example", .issuer = &authority_, .from = -60, .until = -1});
  EXPECT_THAT(judge(old, "desk.example"), HasSubstr("certificate of desk.example expired on "));
  const Certificate early({.name = "desk.example", .issuer = &authority_, .from = 60});
  EXPECT_EQ(judge(early, "desk.example"), "certificate is not yet valid");
}

// --- pins ---

TEST_F(ClientContextTest, APinIsEnoughAndNothingElseCounts) {
  const Certificate expired({.name = "whoever", .from = -60, .until = -1});
  EXPECT_EQ(judge(expired, "desk.example", {.pin_sha256 = expired.sha256}), "");
  std::string colons;
  for (std::size_t i = 0; i < expired.sha256.size(); i += 2) {
    if (i > 0) colons += ':';
    for (const char c : expired.sha256.substr(i, 2)) colons += static_cast<char>(std::toupper(c));
  }
  EXPECT_EQ(judge(expired, "desk.example", {.pin_sha256 = colons}), "");
}

TEST_F(ClientContextTest, RefusesACertificateThatIsNotThePinnedOne) {
  const Certificate right({.name = "desk.example"});
  const Certificate wrong({.name = "desk.example"});
  EXPECT_EQ(judge(wrong, "desk.example", {.pin_sha256 = right.sha256}),
            "certificate is not the pinned one; its sha256 is " + wrong.sha256);
}

TEST_F(ClientContextTest, RefusesPinsThatAreNone) {
  const std::string pin(64, 'a');
  EXPECT_EQ(outcome({.pin_sha256 = pin}), "loaded");
  for (const std::string& bad :
       {pin.substr(1), pin + "a", pin + ":", ":" + pin, pin + "aa", "g" + pin.substr(1),
        "a:" + pin.substr(1), "aa::" + pin.substr(2), std::string("x")}) {
    EXPECT_THAT(outcome({.pin_sha256 = bad}),
                HasSubstr("expected the SHA-256 of a certificate, 64 hexadecimal digits"))
        << bad;
  }
}

// --- no check, and what goes with what ---

TEST_F(ClientContextTest, InsecureTakesAnythingAndWarns) {
  const Certificate expired({.name = "whoever", .from = -60, .until = -1});
  EXPECT_EQ(judge(expired, "desk.example", {.insecure = true}), "");
  EXPECT_THAT(loaded({.insecure = true})->warnings(), ElementsAre(HasSubstr("is not checked")));
  EXPECT_THAT(loaded({.ca_file = ca_.path()})->warnings(), IsEmpty());
}

TEST_F(ClientContextTest, WaysToKnowTheTargetExcludeEachOther) {
  const std::string pin(64, 'a');
  EXPECT_THAT(outcome({.pin_sha256 = pin, .insecure = true}), HasSubstr("exclude each other"));
  EXPECT_THAT(outcome({.ca_file = ca_.path(), .insecure = true}), HasSubstr("exclude each other"));
  EXPECT_THAT(outcome({.ca_file = ca_.path(), .pin_sha256 = pin}), HasSubstr("exclude each other"));
}

TEST_F(ClientContextTest, NamesAFileThatCannotBeUsed) {
  EXPECT_EQ(outcome({.ca_file = "/nonexistent/ca.pem"}),
            "authorities /nonexistent/ca.pem: no such file or directory");
  EXPECT_EQ(outcome({.cert = "/nonexistent/cert.pem"}),
            "certificate /nonexistent/cert.pem: no such file or directory");
  EXPECT_EQ(outcome({.key = "/nonexistent/key.pem"}),
            "key /nonexistent/key.pem: there is no certificate to go with it");
}

// --- client certificates, seen from both sides ---

TEST_F(ClientContextTest, ShowsItsCertificateAndTheServerKnowsItsName) {
  const Certificate mine({.name = "alice", .issuer = &authority_, .password = "secret"});
  const TempFile both(mine.key_pem + mine.cert_pem);
  const auto context =
      loaded({.insecure = true, .cert = both.path(), .key_password = Secret("secret")});
  const auto serving = serve(Certificate(), {.verify_client = true, .ca_file = ca_.path()});
  TlsPair pair(*serving, *context);
  EXPECT_EQ(pair.shake_hands(), "");
  EXPECT_EQ(pair.server->peer_name(), "alice");
  EXPECT_EQ(pair.client->peer_name(), "localhost");
}

TEST_F(ClientContextTest, AServerThatAsksForNoneHearsOfNoCertificate) {
  const Certificate mine({.name = "alice"});
  const TempFile both(mine.key_pem + mine.cert_pem);
  const auto context = loaded({.insecure = true, .cert = both.path()});
  TlsPair pair(*serve(Certificate()), *context);
  EXPECT_EQ(pair.shake_hands(), "");
  EXPECT_EQ(pair.server->peer_name(), "");
}

TEST_F(ClientContextTest, AServerThatAsksRefusesClientsWithoutACertificate) {
  const auto context = loaded({.insecure = true});
  const auto serving = serve(Certificate(), {.verify_client = true, .ca_file = ca_.path()});
  EXPECT_EQ(TlsPair(*serving, *context).shake_hands(), "server: peer did not return a certificate");
}

TEST_F(ClientContextTest, AServerThatAsksRefusesCertificatesThatItsAuthorityDidNotSign) {
  const Certificate foreign({.name = "mallory"});
  const TempFile both(foreign.key_pem + foreign.cert_pem);
  const auto context = loaded({.insecure = true, .cert = both.path()});
  const auto serving = serve(Certificate(), {.verify_client = true, .ca_file = ca_.path()});
  EXPECT_EQ(TlsPair(*serving, *context).shake_hands(),
            "server: client self-signed certificate (mallory)");
}

// --- data ---

TEST_F(ClientContextTest, CarriesBytesBothWays) {
  const auto context = loaded({.insecure = true});
  TlsPair pair(*serve(Certificate()), *context);
  ASSERT_EQ(pair.shake_hands(), "");
  std::vector<std::byte> room(65536);
  for (TlsStream* from : {pair.client.get(), pair.server.get()}) {
    TlsStream* to = from == pair.client.get() ? pair.server.get() : pair.client.get();
    const auto sent = test::pattern(20000);
    const std::array parts = {Bytes(sent)};
    ASSERT_EQ(from->write(parts).bytes, sent.size());
    pair.deliver();
    ASSERT_EQ(to->read(room).bytes, sent.size());
    EXPECT_TRUE(std::ranges::equal(sent, Bytes(room).first(sent.size())));
  }
  pair.client->shutdown_write();
  pair.deliver();
  EXPECT_EQ(pair.server->read(room).kind, io::IoResult::Kind::Eof);
}

// A VNC server speaks first: in TLS 1.2 its greeting may come with the last flight of the handshake.
TEST_F(ClientContextTest, DataThatComesWithTheHandshakeIsInsideTheStream) {
  const auto context = loaded({.insecure = true});
  TlsPair pair(*serve(Certificate()), *context);
  const Certificate certificate;
  const TempFile both(certificate.key_pem + certificate.cert_pem);
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> old(SSL_CTX_new(TLS_server_method()),
                                                              SSL_CTX_free);
  SSL_CTX_set_max_proto_version(old.get(), TLS1_2_VERSION);
  ASSERT_TRUE(use_certificate(old.get(), both.path(), "", Secret()));
  pair.server = TlsStream::make(old.get(), std::make_unique<test::ScriptedStream>(pair.at_server),
                                TlsStream::Role::Server);
  for (TlsStream* side : {pair.client.get(), pair.server.get(), pair.client.get()}) {
    EXPECT_EQ(side->handshake().kind, io::IoResult::Kind::Again);
    pair.deliver();
  }
  ASSERT_TRUE(pair.server->handshake().is_ok());
  const std::array parts = {as_bytes("RFB 003.008\n")};
  ASSERT_TRUE(pair.server->write(parts).is_ok());
  pair.deliver();
  ASSERT_TRUE(pair.client->handshake().is_ok());
  EXPECT_TRUE(pair.at_client->to_read.empty()) << "no descriptor tells of it";
  EXPECT_TRUE(pair.client->has_buffered());
  std::vector<std::byte> room(100);
  EXPECT_EQ(pair.client->read(room).bytes, 12U);
  EXPECT_FALSE(pair.client->has_buffered());
}

TEST_F(ClientContextTest, SaysWhenTheServerSpeaksNoTls) {
  const auto context = loaded({.insecure = true});
  for (const std::string greeting : {"RFB 003.008\n", "HTTP/1.1 400 Bad Request\r\n\r\n"}) {
    TlsPair pair(*serve(Certificate()), *context);
    pair.client->handshake();
    pair.at_client->to_read = greeting;
    EXPECT_EQ(pair.client->handshake().kind, io::IoResult::Kind::Failed);
    EXPECT_EQ(pair.client->handshake_failure(), "server speaks no TLS");
  }
}

TEST_F(ClientContextTest, SaysWhenTheServerLeaves) {
  const auto context = loaded({.insecure = true});
  TlsPair pair(*serve(Certificate()), *context);
  pair.client->handshake();
  pair.at_client->eof = true;
  EXPECT_EQ(pair.client->handshake().kind, io::IoResult::Kind::Failed);
  EXPECT_EQ(pair.client->handshake_failure(), "closed during the TLS handshake");
}

}  // namespace
}  // namespace wsproxy::tls
