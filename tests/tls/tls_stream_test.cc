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

// OpenSSL as a client between two buffers in memory.
class Client {
 public:
  Client() : ssl_(SSL_new(context())) {
    SSL_set_security_level(ssl(), 0);  // old versions are for the server to refuse
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
  }

  SSL* ssl() { return ssl_.get(); }

  // True once the handshake is done as this side sees it.
  bool handshake() {
    ERR_clear_error();
    return SSL_do_handshake(ssl()) == 1;
  }

  // What goes to the server now.
  std::string take() {
    std::string out(BIO_ctrl_pending(SSL_get_wbio(ssl())), '\0');
    if (!out.empty()) BIO_read(SSL_get_wbio(ssl()), out.data(), static_cast<int>(out.size()));
    return out;
  }
  void give(const std::string& bytes) {
    if (bytes.empty()) return;
    BIO_write(SSL_get_rbio(ssl()), bytes.data(), static_cast<int>(bytes.size()));
  }

  // The records that carry `text`.
  std::string seal(std::string_view text) {
    EXPECT_EQ(SSL_write(ssl(), text.data(), static_cast<int>(text.size())),
              static_cast<int>(text.size()));
    return take();
  }
  std::string seal_end() {
    SSL_shutdown(ssl());
    return take();
  }
  // All that was received and can be read.
  std::string open() {
    std::string out;
    std::array<char, 16384> piece{};
    ERR_clear_error();
    for (int n = 0; (n = SSL_read(ssl(), piece.data(), piece.size())) > 0;) {
      out.append(piece.data(), static_cast<std::size_t>(n));
    }
    return out;
  }

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  static SSL_CTX* context() {
    static const std::unique_ptr<SSL_CTX, Free> shared(SSL_CTX_new(TLS_client_method()));
    return shared.get();
  }

  std::unique_ptr<SSL, Free> ssl_;
};

class TlsStreamTest : public testing::Test {
 protected:
  TlsStreamTest()
      : peer_(std::make_shared<Peer>()),
        stream_(server_context()->accept(std::make_unique<test::ScriptedStream>(peer_))) {}

  // Begins anew, with a server where `options` rule.
  void serve_with(const ServerOptions& options) {
    peer_ = std::make_shared<Peer>();
    client_ = Client();
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
  Client client_;
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
      client_ = Client();
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
  EXPECT_EQ(stream_->handshake().kind, Kind::Failed);
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
