// Both ends of a TLS connection, in memory.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "support/certificate.h"
#include "support/scripted_stream.h"
#include "tls/client_context.h"
#include "tls/tls_context.h"
#include "tls/tls_stream.h"

namespace wsproxy::test {

/// A server context with `certificate`; `options` say the rest.
inline std::shared_ptr<const tls::TlsContext> serve(const Certificate& certificate,
                                                    tls::ServerOptions options = {}) {
  const TempFile both(certificate.key_pem + certificate.cert_pem);
  options.cert = both.path();
  auto context = tls::TlsContext::load(options);
  EXPECT_TRUE(context) << context.error().message();
  return std::move(*context);
}

struct TlsPair {
  TlsPair(const tls::TlsContext& serving, const tls::ClientContext& dialling,
          std::string_view host = "localhost")
      : server(serving.accept(std::make_unique<ScriptedStream>(at_server))),
        client(dialling.connect(std::make_unique<ScriptedStream>(at_client), host)) {}

  /// What has been written reaches the other side.
  void deliver() {
    at_server->to_read += std::exchange(at_client->written, {});
    at_client->to_read += std::exchange(at_server->written, {});
  }

  /// Both go on until nothing is under way. "" if both made it; else what the client says is wrong or, if
  /// it says nothing, what the server says.
  std::string shake_hands() {
    io::IoResult client_result = client->handshake();
    io::IoResult server_result = io::IoResult::again();
    for (int round = 0; round < 4; ++round) {
      deliver();
      using Kind = io::IoResult::Kind;
      if (server_result.kind == Kind::Again) server_result = server->handshake();
      deliver();
      if (client_result.kind == Kind::Again) client_result = client->handshake();
    }
    deliver();
    if (!client->handshake_failure().empty()) return client->handshake_failure();
    if (client_result.is_ok() && server_result.is_ok()) return "";
    return "server: " + server->handshake_failure();
  }

  std::shared_ptr<Peer> at_server = std::make_shared<Peer>();
  std::shared_ptr<Peer> at_client = std::make_shared<Peer>();
  std::unique_ptr<tls::TlsStream> server;
  std::unique_ptr<tls::TlsStream> client;
};

}  // namespace wsproxy::test
