#include "session/log_limits.h"

namespace wsproxy::session {

LogLimits::Kind::Kind(io::EventLoop& loop, std::string what)
    : window_end_(loop.timers(), [this] { throttle_.flush(); }),
      throttle_(loop.clock(), std::move(what), log::Throttle::kLimit, log::Level::Info,
                [this](Duration rest) { window_end_.arm(rest); }) {}

LogLimits::LogLimits(io::EventLoop& loop)
    : refused(loop, "refused requests"),
      tls_failed(loop, "TLS handshakes failed"),
      turned_away(loop, "connections turned away"),
      broken_off(loop, "requests broken off") {}

}  // namespace wsproxy::session
