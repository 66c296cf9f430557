// Connecting to targets by TLS.
#pragma once

#include <functional>
#include <memory>

#include "io/dial.h"
#include "io/event_loop.h"
#include "tls/client_context.h"

namespace wsproxy::tls {

/// Dials by way of another dialer and makes the handshake on top, as part of the time to connect. What
/// take() gives is a TlsStream, ready for data. Errors read "cannot reach HOST:PORT: TLS: ..." (Tls,
/// TimedOut). Unix sockets are refused: there is no name to check, and nobody in between.
class TlsDialer final : public io::Dialer {
 public:
  TlsDialer(io::EventLoop& loop, io::Dialer& inner, std::shared_ptr<const ClientContext> context)
      : loop_(loop), inner_(inner), context_(std::move(context)) {}

  std::unique_ptr<io::Dial> dial(const io::Endpoint& target, const io::DialLimits& limits,
                                 std::move_only_function<void()> wake) override;

 private:
  io::EventLoop& loop_;
  io::Dialer& inner_;
  std::shared_ptr<const ClientContext> context_;
};

}  // namespace wsproxy::tls
