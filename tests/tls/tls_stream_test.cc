#include "tls/tls_stream.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/builders.h"
#include "support/certificate.h"
#include "support/scripted_stream.h"
#include "support/tls_client.h"
#include "support/tls_pair.h"
#include "tls/tls_context.h"

namespace wsproxy::tls {
namespace {

using io::IoResult;
using Kind = io::IoResult::Kind;
using test::Peer;

std::shared_ptr<const TlsContext> server_context() {
  static const std::shared_ptr<const TlsContext> context = test::serve(test::Certificate());
  return context;
}

class TlsStreamTest : public testing::Test {
 protected:
  TlsStreamTest()
      : peer_(std::make_shared<Peer>()),
        stream_(server_context()->accept(std::make_unique<test::ScriptedStream>(peer_))) {}

  // Begins anew, with a server where `options` rule.
  void serve_with(const ServerOptions& options) {
    peer_ = std::make_shared<Peer>();
    client_ = test::TlsClient();
    stream_ = test::serve(test::Certificate(), options)
                  ->accept(std::make_unique<test::ScriptedStream>(peer_));
  }

  // Both sides go on until the server is done or cannot be; `chunk` bytes arrive there at a time.
  IoResult shake_hands(std::size_t chunk = 1 << 20) {
    IoResult result = IoResult::again();
    for (int round = 0; round < 4 && result.kind == Kind::Again; ++round) {
      client_.handshake();
      std::string flight = client_.take();
      while (!flight.empty() && result.kind == Kind::Again) {
        const std::size_t n = std::min(chunk, flight.size());
        peer_->to_read += flight.substr(0, n);
        flight.erase(0, n);
        result = stream_->handshake();
        EXPECT_TRUE(stream_->interest({}).read || result.kind != Kind::Again);
      }
      client_.give(std::exchange(peer_->written, {}));
    }
    client_.handshake();  // takes an alert, or session tickets
    return result;
  }
  void open() { ASSERT_TRUE(shake_hands().is_ok()); }

  // As the loop would: for as long as there is something to read.
  IoResult finish_handshake() {
    IoResult result = IoResult::again();
    do {
      result = stream_->handshake();
    } while (result.kind == Kind::Again && (!peer_->to_read.empty() || peer_->eof));
    return result;
  }

  IoResult write(std::string_view text) {
    const std::array parts = {as_bytes(text)};
    return stream_->write(parts);
  }
  IoResult read(std::size_t most = 65536) {
    std::vector<std::byte> room(most);
    const IoResult result = stream_->read(room);
    got_ = test::text_of(Bytes(room).first(result.bytes));
    return result;
  }
  std::string at_client() {
    client_.give(std::exchange(peer_->written, {}));
    return client_.open();
  }

  std::shared_ptr<Peer> peer_;
  test::TlsClient client_;
  std::unique_ptr<TlsStream> stream_;
  std::string got_;  // by the last read()
};

// --- the handshake ---

TEST_F(TlsStreamTest, ShakesHandsHoweverTheBytesArrive) {
  client_.handshake();
  const std::size_t longest = client_.take().size();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (std::size_t chunk = 1; chunk <= longest; ++chunk) {
      peer_ = std::make_shared<Peer>();
      client_ = test::TlsClient();
      SSL_set_max_proto_version(client_.ssl(), version);
      stream_ = server_context()->accept(std::make_unique<test::ScriptedStream>(peer_));
      ASSERT_TRUE(shake_hands(chunk).is_ok()) << chunk;
      ASSERT_STREQ(stream_->version(), version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
      ASSERT_TRUE(write("RFB").is_ok());
      ASSERT_EQ(at_client(), "RFB") << chunk;
    }
  }
}

TEST_F(TlsStreamTest, RefusesTls11) {
  SSL_set_min_proto_version(client_.ssl(), TLS1_1_VERSION);
  SSL_set_max_proto_version(client_.ssl(), TLS1_1_VERSION);
  const IoResult result = shake_hands();
  EXPECT_EQ(result.kind, Kind::Failed);
  EXPECT_STREQ(result.why, "unsupported protocol");
}

TEST_F(TlsStreamTest, SpeaksTls11OnRequest) {
  serve_with({.min_version = MinVersion::Tls11});
  SSL_set_min_proto_version(client_.ssl(), TLS1_1_VERSION);
  SSL_set_max_proto_version(client_.ssl(), TLS1_1_VERSION);
  ASSERT_TRUE(shake_hands().is_ok()) << stream_->handshake_failure();
  EXPECT_STREQ(stream_->version(), "TLSv1.1");
  ASSERT_TRUE(write("RFB").is_ok());
  EXPECT_EQ(at_client(), "RFB");
}

TEST_F(TlsStreamTest, SpeaksNewerVersionsWhereAnOldOneIsAllowed) {
  serve_with({.min_version = MinVersion::Tls11});
  ASSERT_TRUE(shake_hands().is_ok());
  EXPECT_STREQ(stream_->version(), "TLSv1.3");
}

TEST_F(TlsStreamTest, RefusesTls12WhereThatIsTooOld) {
  serve_with({.min_version = MinVersion::Tls13});
  SSL_set_max_proto_version(client_.ssl(), TLS1_2_VERSION);
  EXPECT_EQ(shake_hands().kind, Kind::Failed);
  EXPECT_EQ(stream_->handshake_failure(), "unsupported protocol");
}

TEST_F(TlsStreamTest, SpeaksOnlyTheCiphersOfItsLists) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    serve_with({.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305",
                .ciphersuites = "TLS_CHACHA20_POLY1305_SHA256"});
    SSL_set_max_proto_version(client_.ssl(), version);
    ASSERT_TRUE(shake_hands().is_ok());
    EXPECT_STREQ(SSL_get_cipher_name(client_.ssl()), version == TLS1_2_VERSION
                                                         ? "ECDHE-ECDSA-CHACHA20-POLY1305"
                                                         : "TLS_CHACHA20_POLY1305_SHA256");
  }
}

TEST_F(TlsStreamTest, ChoosesHttp11OfWhatTheClientOffers) {
  constexpr std::string_view kOffer = "\x02h2\x08http/1.1";
  SSL_set_alpn_protos(client_.ssl(), reinterpret_cast<const unsigned char*>(kOffer.data()),
                      static_cast<unsigned>(kOffer.size()));
  open();
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(client_.ssl(), &chosen, &size);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), "http/1.1");
}

TEST_F(TlsStreamTest, RefusesAClientThatOffersOnlyHttp2) {
  constexpr std::string_view kOffer = "\x02h2";
  SSL_set_alpn_protos(client_.ssl(), reinterpret_cast<const unsigned char*>(kOffer.data()),
                      static_cast<unsigned>(kOffer.size()));
  EXPECT_EQ(shake_hands().kind, Kind::Failed);
  EXPECT_EQ(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL)
      << "the alert reached the client";
}

TEST_F(TlsStreamTest, SaysThatTheClientLeftDuringTheHandshake) {
  client_.handshake();
  peer_->to_read = client_.take().substr(0, 50);
  peer_->eof = true;
  EXPECT_EQ(finish_handshake().kind, Kind::Failed);
}

TEST_F(TlsStreamTest, AHandshakeThatTheSocketDoesNotTakeAsksToBeWritten) {
  client_.handshake();
  peer_->to_read = client_.take();
  peer_->write_room = 0;
  EXPECT_EQ(stream_->handshake().kind, Kind::Again);
  EXPECT_TRUE(stream_->interest({}).write);
  peer_->write_room = 1 << 20;
  EXPECT_EQ(stream_->handshake().kind, Kind::Again);
  EXPECT_FALSE(stream_->interest({}).write);
  EXPECT_FALSE(peer_->written.empty());
}

// --- data ---

TEST_F(TlsStreamTest, CarriesBytesBothWays) {
  open();
  for (const std::size_t size : {1U, 100U, 16384U, 16385U, 60000U}) {
    const std::string sent = test::text_of(test::pattern(size));
    peer_->to_read = client_.seal(sent);
    ASSERT_TRUE(read().is_ok());
    EXPECT_EQ(got_, sent);
    ASSERT_EQ(write(sent).bytes, size);
    EXPECT_EQ(at_client(), sent);
  }
  EXPECT_EQ(read().kind, Kind::Again);
}

TEST_F(TlsStreamTest, TakesABoundedAmountInOneWrite) {
  open();
  const std::string sent = test::text_of(test::pattern(1000000));
  const IoResult result = write(sent);
  ASSERT_TRUE(result.is_ok());
  EXPECT_GE(result.bytes, 65536U);
  EXPECT_LT(result.bytes, 100000U);
  EXPECT_EQ(at_client(), sent.substr(0, result.bytes));
}

TEST_F(TlsStreamTest, ARecordThatFillsTheReadersRoomLeavesItsRestBuffered) {
  open();
  peer_->to_read = client_.seal("0123456789");
  ASSERT_TRUE(read(4).is_ok());
  EXPECT_EQ(got_, "0123");
  EXPECT_TRUE(stream_->has_buffered());
  ASSERT_TRUE(read().is_ok());
  EXPECT_EQ(got_, "456789");
  EXPECT_FALSE(stream_->has_buffered());
}

// A session goes on at once while bytes are buffered: with half a record it would go on for ever.
TEST_F(TlsStreamTest, HalfARecordIsNotBuffered) {
  open();
  const std::string record = client_.seal("0123456789");
  for (std::size_t cut = 1; cut < record.size(); ++cut) {
    const std::string whole = client_.seal("whole");
    const std::string next = client_.seal("next");
    if (cut == 1) {
      peer_->to_read = record;
      ASSERT_TRUE(read().is_ok());
    }
    peer_->to_read = whole + next.substr(0, std::min(cut, next.size() - 1));
    ASSERT_TRUE(read().is_ok());
    EXPECT_EQ(got_, "whole");
    EXPECT_FALSE(stream_->has_buffered()) << cut;
    EXPECT_EQ(read().kind, Kind::Again);
    EXPECT_FALSE(stream_->has_buffered()) << cut;
    peer_->to_read = next.substr(std::min(cut, next.size() - 1));
    ASSERT_TRUE(read().is_ok());
    EXPECT_EQ(got_, "next");
  }
}

// --- ends ---

TEST_F(TlsStreamTest, AnEndDirectlyBehindDataIsNotLost) {
  open();
  peer_->to_read = client_.seal("last words");
  peer_->to_read += client_.seal_end();
  ASSERT_TRUE(read().is_ok());
  EXPECT_EQ(got_, "last words");
  // the socket has nothing left, so no event will announce the end
  EXPECT_TRUE(stream_->has_buffered());
  EXPECT_EQ(read().kind, Kind::Eof);
}

TEST_F(TlsStreamTest, AnEndBehindDataThatFilledTheReadersRoomIsNotLost) {
  open();
  peer_->to_read = client_.seal("last words");
  peer_->to_read += client_.seal_end();
  ASSERT_TRUE(read(10).is_ok());
  EXPECT_TRUE(stream_->has_buffered());
  EXPECT_EQ(read().kind, Kind::Eof);
}

TEST_F(TlsStreamTest, AnEofWithoutCloseNotifyIsAnEnd) {
  open();
  peer_->to_read = client_.seal("last words");
  peer_->eof = true;
  ASSERT_TRUE(read().is_ok());
  EXPECT_EQ(got_, "last words");
  EXPECT_EQ(read().kind, Kind::Eof);
}

TEST_F(TlsStreamTest, AReadErrorIsToldAsWhatItIs) {
  open();
  peer_->read_error = ECONNRESET;
  const IoResult result = read();
  EXPECT_EQ(result.kind, Kind::Failed);
  EXPECT_EQ(result.error, ECONNRESET);
}

TEST_F(TlsStreamTest, ShutdownSendsACloseNotify) {
  open();
  ASSERT_TRUE(write("bye").is_ok());
  stream_->shutdown_write();
  EXPECT_TRUE(peer_->write_shut);
  EXPECT_EQ(at_client(), "bye");
  EXPECT_NE(SSL_get_shutdown(client_.ssl()) & SSL_RECEIVED_SHUTDOWN, 0);
}

TEST_F(TlsStreamTest, TheLastBytesAreTheInnerStreamsLastToo) {
  open();
  ASSERT_TRUE(write("more").is_ok());
  EXPECT_FALSE(peer_->last_written);
  const std::array parts = {as_bytes("bye")};
  ASSERT_TRUE(stream_->write_last(parts).is_ok());
  EXPECT_TRUE(peer_->last_written);
  stream_->shutdown_write();
  EXPECT_EQ(at_client(), "morebye");
  EXPECT_NE(SSL_get_shutdown(client_.ssl()) & SSL_RECEIVED_SHUTDOWN, 0);
}

// --- a socket that takes nothing ---

TEST_F(TlsStreamTest, WhatTheSocketDoesNotTakeCountsAsWrittenAndGoesOutLater) {
  open();
  peer_->write_room = 0;
  const std::string sent = test::text_of(test::pattern(1000));
  ASSERT_EQ(write(sent).bytes, 1000U);
  const std::size_t held = stream_->unflushed();
  EXPECT_GT(held, 1000U);
  EXPECT_TRUE(stream_->interest({}).write);
  EXPECT_EQ(write("more").kind, Kind::Again);
  EXPECT_EQ(stream_->unflushed(), held);

  peer_->write_room = 100;
  EXPECT_EQ(stream_->write({}).kind, Kind::Again);
  EXPECT_EQ(stream_->unflushed(), held - 100);
  peer_->write_room = 1 << 20;
  EXPECT_TRUE(stream_->write({}).is_ok());
  EXPECT_EQ(stream_->unflushed(), 0U);
  EXPECT_FALSE(stream_->interest({}).write);
  EXPECT_EQ(at_client(), sent);
}

// A dead socket polls writable for ever: who still asks for that spins.
TEST_F(TlsStreamTest, AFailedWriteAsksForNothingMoreAndLeavesWhatWasReceivedReadable) {
  open();
  peer_->write_room = 0;
  ASSERT_TRUE(write("never taken").is_ok());
  peer_->to_read = client_.seal("typed before it left");
  peer_->write_error = EPIPE;
  const IoResult result = write("more");
  EXPECT_EQ(result.kind, Kind::Failed);
  EXPECT_EQ(result.error, EPIPE);
  EXPECT_EQ(stream_->unflushed(), 0U);
  EXPECT_FALSE(stream_->interest({}).write);
  EXPECT_FALSE(stream_->interest({}).read);
  ASSERT_TRUE(read().is_ok());
  EXPECT_EQ(got_, "typed before it left");
  EXPECT_EQ(write("more").kind, Kind::Failed);
  stream_->shutdown_write();
  EXPECT_EQ(stream_->unflushed(), 0U);
  EXPECT_FALSE(stream_->interest({}).write);
}

TEST_F(TlsStreamTest, AWriteThatFailsAtItsFirstByteAsksForNothingMore) {
  open();
  peer_->write_error = ECONNRESET;
  EXPECT_EQ(write("lost").kind, Kind::Failed);
  EXPECT_EQ(stream_->unflushed(), 0U);
  EXPECT_FALSE(stream_->interest({}).write);
}

// --- a client that means harm ---

// Every KeyUpdate that asks for one is answered by OpenSSL inside a read.
TEST_F(TlsStreamTest, AFloodOfKeyUpdatesFailsWithinBounds) {
  open();
  peer_->write_room = 0;
  for (int i = 0; i < 30000; ++i) {
    ASSERT_EQ(SSL_key_update(client_.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    ASSERT_TRUE(client_.handshake());
  }
  peer_->to_read = client_.take();
  ASSERT_GT(peer_->to_read.size(), 600000U);
  IoResult result = IoResult::again();
  for (int i = 0; i < 100 && result.kind == Kind::Again; ++i) {
    const std::size_t before = peer_->to_read.size();
    result = read();
    EXPECT_LE(before - peer_->to_read.size(), 100000U);
    EXPECT_LE(stream_->unflushed(), 512U * 1024);
  }
  EXPECT_EQ(result.kind, Kind::Failed);
  EXPECT_STREQ(result.why, "too many TLS handshake messages");
  EXPECT_GT(peer_->to_read.size(), 500000U) << "it read on";
}

TEST_F(TlsStreamTest, AFewHundredKeyUpdatesAmongDataFailToo) {
  open();
  IoResult result = IoResult::ok(0);
  int updates = 0;
  for (; updates < 400 && result.is_ok(); ++updates) {
    SSL_key_update(client_.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    peer_->to_read += client_.seal("x");
    result = read();
  }
  EXPECT_GT(updates, 100) << "honest clients send a few";
  // the record behind the last one may still be read
  if (result.is_ok()) result = read();
  EXPECT_EQ(result.kind, Kind::Failed);
}

// A hello that offers so many protocols, http/1.1 among them, that it has about `size` bytes.
void make_hello_long(SSL* ssl, std::size_t size) {
  std::string offer = "\x08http/1.1";
  while (offer.size() + 256 < size) offer += '\xff' + std::string(255, 'x');
  SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(offer.data()),
                      static_cast<unsigned>(offer.size()));
}

TEST_F(TlsStreamTest, AHelloOfSomeKilobytesIsUnderstood) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    serve_with({});
    SSL_set_max_proto_version(client_.ssl(), version);
    make_hello_long(client_.ssl(), std::size_t{14} * 1024);
    EXPECT_TRUE(shake_hands(1000).is_ok()) << stream_->handshake_failure();
  }
}

TEST_F(TlsStreamTest, AHelloOf64KilobytesIsRefusedAfter16) {
  for (const std::size_t chunk : {1U, 1U << 20}) {
    serve_with({});
    make_hello_long(client_.ssl(), std::size_t{64} * 1024);
    client_.handshake();
    const std::string flight = client_.take();
    ASSERT_GT(flight.size(), 60U * 1024);
    IoResult result = IoResult::again();
    std::size_t given = 0;
    while (result.kind == Kind::Again && given < flight.size()) {
      peer_->to_read += flight.substr(given, chunk);
      given += chunk;
      result = finish_handshake();
    }
    EXPECT_EQ(stream_->handshake_failure(), "TLS hello is too long");
    EXPECT_LE(std::min(given, flight.size()) - peer_->to_read.size(), 16U * 1024);
  }
}

// Six bytes for one of the hello: as long as the limit allows, and no longer.
TEST_F(TlsStreamTest, AHelloInRecordsOfOneByteIsUnderstoodOrRefused) {
  client_.handshake();
  const std::string flight = client_.take();
  const std::string hello = flight.substr(5);
  std::string crumbs;
  for (const char byte : hello) crumbs += std::string("\x16\x03\x01\x00\x01", 5) + byte;
  peer_->to_read = crumbs;
  EXPECT_EQ(stream_->handshake().kind, Kind::Again);
  EXPECT_FALSE(peer_->written.empty()) << "its answer";
  serve_with({});
  // a hello of 4 KiB in crumbs
  std::string long_hello = std::string("\x01\x00\x10\x00\x03\x03", 6) + std::string(4090, 'x');
  for (const char byte : long_hello) {
    peer_->to_read += std::string("\x16\x03\x01\x00\x01", 5) + byte;
  }
  EXPECT_EQ(finish_handshake().kind, Kind::Failed);
  EXPECT_EQ(stream_->handshake_failure(), "TLS hello is too long");
}

TEST_F(TlsStreamTest, AHandshakeWithoutEndIsRefused) {
  client_.handshake();
  peer_->to_read = client_.take();
  ASSERT_EQ(stream_->handshake().kind, Kind::Again);
  // TLS 1.3 ignores records of this kind
  std::string noise;
  for (int i = 0; i < 100000; ++i) noise += std::string("\x14\x03\x03\x00\x01\x01", 6);
  const std::size_t offered = noise.size();
  peer_->to_read = noise;
  IoResult result = IoResult::again();
  for (int i = 0; i < 20 && result.kind == Kind::Again; ++i) result = stream_->handshake();
  EXPECT_EQ(result.kind, Kind::Failed) << stream_->handshake_failure();
  EXPECT_LE(offered - peer_->to_read.size(), 128U * 1024);
}

TEST_F(TlsStreamTest, ClientsMayNotRenegotiate) {
  SSL_set_max_proto_version(client_.ssl(), TLS1_2_VERSION);
  open();
  ASSERT_EQ(SSL_renegotiate(client_.ssl()), 1);
  EXPECT_FALSE(client_.handshake());
  peer_->to_read = client_.take();
  EXPECT_EQ(read().kind, Kind::Again);
  client_.give(std::exchange(peer_->written, {}));
  EXPECT_FALSE(client_.handshake());
  EXPECT_EQ(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
}

TEST_F(TlsStreamTest, SpeaksOnlyCiphersWithForwardSecrecyAndAuthentication) {
  for (const char* cipher :
       {"ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "AES128-SHA",
        "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM", "aNULL", "eNULL"}) {
    serve_with({});
    SSL_set_max_proto_version(client_.ssl(), TLS1_2_VERSION);
    ASSERT_EQ(SSL_set_cipher_list(client_.ssl(), cipher), 1) << cipher;
    EXPECT_EQ(shake_hands().kind, Kind::Failed) << cipher;
    EXPECT_EQ(stream_->handshake_failure(), "no shared cipher") << cipher;
  }
}

TEST_F(TlsStreamTest, SpeaksOnlyQuickAndSafeGroups) {
  for (const char* group : {"X25519", "P-256", "P-384"}) {
    serve_with({});
    ASSERT_EQ(SSL_set1_groups_list(client_.ssl(), group), 1);
    EXPECT_TRUE(shake_hands().is_ok()) << group;
  }
  for (const char* group : {"ffdhe2048", "ffdhe8192", "X448", "P-521", "P-224"}) {
    serve_with({});
    ASSERT_EQ(SSL_set1_groups_list(client_.ssl(), group), 1);
    EXPECT_EQ(shake_hands().kind, Kind::Failed) << group;
  }
}

TEST_F(TlsStreamTest, SignsNothingWithSha1) {
  SSL_set_max_proto_version(client_.ssl(), TLS1_2_VERSION);
  ASSERT_EQ(SSL_set1_sigalgs_list(client_.ssl(), "ECDSA+SHA1"), 1);
  EXPECT_EQ(shake_hands().kind, Kind::Failed);
}

TEST_F(TlsStreamTest, OneReadTakesABoundedAmountHoweverMuchRoomThereIs) {
  open();
  peer_->to_read = client_.seal(std::string(1000000, 'x'));
  const std::size_t before = peer_->to_read.size();
  ASSERT_TRUE(read(200000).is_ok());
  EXPECT_LE(before - peer_->to_read.size(), 100000U);
}

TEST_F(TlsStreamTest, GarbageFailsWithAReason) {
  open();
  peer_->to_read = "GET / HTTP/1.1\r\n\r\n";
  const IoResult result = read();
  EXPECT_EQ(result.kind, Kind::Failed);
  EXPECT_STRNE(result.why, "");
}

}  // namespace
}  // namespace wsproxy::tls
