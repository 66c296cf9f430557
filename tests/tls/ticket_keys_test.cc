#include "tls/ticket_keys.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <string>

#include "support/certificate.h"
#include "support/fake_clock.h"
#include "support/tls_client.h"
#include "support/tls_pair.h"

namespace wsproxy::tls {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using test::Certificate;

struct FreeSession {
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using Session = std::unique_ptr<SSL_SESSION, FreeSession>;

class TicketKeysTest : public testing::TestWithParam<int> {
 protected:
  std::shared_ptr<const TlsContext> served() {
    return test::serve(certificate_, {.tickets = keys_});
  }

  // A handshake; with the session of an earlier one, if there is one. What comes of it is in session_.
  bool resumes(const TlsContext& context) {
    test::TlsVisit visit(context);
    SSL* ssl = visit.client.ssl();
    SSL_set_min_proto_version(ssl, GetParam());
    SSL_set_max_proto_version(ssl, GetParam());
    if (session_) SSL_set_session(ssl, session_.get());
    EXPECT_TRUE(visit.shake_hands());
    session_.reset(SSL_get1_session(ssl));
    EXPECT_EQ(SSL_SESSION_has_ticket(session_.get()), 1);
    return SSL_session_reused(ssl) == 1;
  }

  test::FakeClock clock_;
  std::shared_ptr<TicketKeys> keys_ = std::make_shared<TicketKeys>(clock_);
  const Certificate certificate_;
  Session session_;
};

TEST_P(TicketKeysTest, ASessionResumesAgainAndAgain) {
  const auto context = served();
  EXPECT_FALSE(resumes(*context));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(resumes(*context)) << i;
}

TEST_P(TicketKeysTest, ASessionResumesWithoutKeysFromElsewhere) {
  const auto context = test::serve(certificate_);
  EXPECT_FALSE(resumes(*context));
  EXPECT_TRUE(resumes(*context));
}

TEST_P(TicketKeysTest, ASessionResumesWithTheSameCertificateLoadedAgain) {
  EXPECT_FALSE(resumes(*served()));
  EXPECT_TRUE(resumes(*served()));
}

TEST_P(TicketKeysTest, NoSessionResumesWithAnotherCertificate) {
  EXPECT_FALSE(resumes(*served()));
  EXPECT_FALSE(resumes(*test::serve(Certificate(), {.tickets = keys_})));
}

TEST_P(TicketKeysTest, NoSessionResumesWithOtherKeys) {
  EXPECT_FALSE(resumes(*served()));
  keys_ = std::make_shared<TicketKeys>(clock_);
  EXPECT_FALSE(resumes(*served()));
}

TEST_P(TicketKeysTest, AKeyOpensForTwelveHoursAfterItsTwelveHours) {
  const auto context = served();
  EXPECT_FALSE(resumes(*context));
  const Session first(SSL_SESSION_dup(session_.get()));
  clock_.advance(hours(12) - seconds(1));
  EXPECT_TRUE(resumes(*context));
  clock_.advance(seconds(1));
  EXPECT_TRUE(resumes(*context)) << "by the previous key";
  clock_.advance(hours(12) - seconds(1));
  EXPECT_TRUE(resumes(*context)) << "a new ticket came with the new key";
  session_.reset(SSL_SESSION_dup(first.get()));
  EXPECT_TRUE(resumes(*context)) << "one second before its end";
  clock_.advance(seconds(1));
  session_.reset(SSL_SESSION_dup(first.get()));
  EXPECT_FALSE(resumes(*context));
}

TEST_P(TicketKeysTest, AKeyThatWasReplacedLateOpensForNoLongerThanOthers) {
  const auto context = served();
  EXPECT_FALSE(resumes(*context));
  const Session first(SSL_SESSION_dup(session_.get()));
  clock_.advance(hours(23));
  EXPECT_TRUE(resumes(*context));
  clock_.advance(hours(1));
  EXPECT_TRUE(resumes(*context)) << "the new key is an hour old";
  session_.reset(SSL_SESSION_dup(first.get()));
  EXPECT_FALSE(resumes(*context));
}

TEST_P(TicketKeysTest, AfterALongPauseTheOldKeyIsNoneOfThePreviousOnes) {
  const auto context = served();
  EXPECT_FALSE(resumes(*context));
  clock_.advance(hours(24));
  EXPECT_FALSE(resumes(*context));
}

// A ticket says that its client was checked: with other authorities it has to be checked again.
TEST_P(TicketKeysTest, ASessionOfAClientThatWasCheckedResumesOnlyWhereTheSameAuthorityCounts) {
  const Certificate authority({.name = "one", .authority = true});
  const Certificate other({.name = "two", .authority = true});
  const test::TempFile trusted(authority.cert_pem);
  const test::TempFile trusted_later(other.cert_pem);
  const Certificate alice({.name = "alice", .issuer = &authority});
  const test::TempFile alice_file(alice.cert_pem + alice.key_pem);
  const auto admitted = [&](const std::string& ca_file, bool shows_certificate) {
    const auto context =
        test::serve(certificate_, {.verify_client = true, .ca_file = ca_file, .tickets = keys_});
    test::TlsVisit visit(*context);
    SSL* ssl = visit.client.ssl();
    SSL_set_min_proto_version(ssl, GetParam());
    SSL_set_max_proto_version(ssl, GetParam());
    if (session_) SSL_set_session(ssl, session_.get());
    if (shows_certificate) {
      SSL_use_certificate_file(ssl, alice_file.path().c_str(), SSL_FILETYPE_PEM);
      SSL_use_PrivateKey_file(ssl, alice_file.path().c_str(), SSL_FILETYPE_PEM);
    }
    const bool done = visit.shake_hands();
    if (!done) return false;
    session_.reset(SSL_get1_session(ssl));
    EXPECT_EQ(visit.server->peer_name(), "alice");
    return true;
  };
  EXPECT_FALSE(resumes(*served()));
  EXPECT_FALSE(admitted(trusted.path(), false)) << "a session of somebody unknown";
  EXPECT_TRUE(admitted(trusted.path(), true));
  EXPECT_TRUE(admitted(trusted.path(), false)) << "resumed";
  EXPECT_FALSE(admitted(trusted_later.path(), false));
}

INSTANTIATE_TEST_SUITE_P(Versions, TicketKeysTest, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& which) {
                           return which.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

}  // namespace
}  // namespace wsproxy::tls
