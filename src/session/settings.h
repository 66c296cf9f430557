// What sessions share: an immutable snapshot of the configuration, and the daemon's machinery.
#pragma once

#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/ring_buffer.h"
#include "config/config.h"
#include "io/dial.h"
#include "io/event_loop.h"
#include "session/recording.h"
#include "tls/tls_context.h"
#include "web/static_dir.h"

namespace wsproxy::session {

/// A session keeps the snapshot that it began with.
struct Settings {
  config::Config config;
  io::Endpoint target;
  std::shared_ptr<const tls::TlsContext> tls;  ///< null: no TLS
  std::optional<web::StaticDir> web;           ///< nothing: the built-in page
  std::shared_ptr<Recorder> recorder;          ///< null: sessions are not recorded
};

class AccessLog;
struct LogLimits;

struct Machinery {
  io::EventLoop& loop;
  io::Dialer& dialer;
  BufferPool& pool;                 ///< blocks for the relays' rings
  MutableBytes scratch;             ///< for the length of one call
  LogLimits* log_limits = nullptr;  ///< null: none
  AccessLog* access_log = nullptr;  ///< null: none
};

}  // namespace wsproxy::session
