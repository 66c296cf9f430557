// What sessions share: an immutable snapshot of the configuration, and the daemon's machinery.
#pragma once

#include <memory>

#include "access/host_names.h"
#include "access/origin.h"
#include "base/bytes.h"
#include "base/ring_buffer.h"
#include "config/config.h"
#include "io/conduit.h"
#include "io/dial.h"
#include "io/event_loop.h"
#include "session/admission.h"
#include "session/recording.h"
#include "tls/tls_context.h"
#include "web/static_dir.h"

namespace wsproxy::session {

/// What one client's address may have.
struct AddressLimits {
  ConnectionLimits connections;
  std::size_t sessions = 0;  ///< 0: no limit
};

/// A session keeps the snapshot that it began with.
struct Settings {
  config::Config config;
  io::Endpoint target;
  AddressLimits elsewhere;     ///< for clients on other machines
  AddressLimits this_machine;  ///< for those on this one, where a reverse proxy may be
  access::OriginRules origins;
  access::HostNames names;
  std::shared_ptr<const tls::TlsContext> tls;  ///< null: no TLS
  std::shared_ptr<io::Dialer> dialer;          ///< of TLS to the target; null: the machinery's
  std::shared_ptr<const web::StaticDir> web;   ///< null: the built-in page
  std::shared_ptr<Recorder> recorder;          ///< null: sessions are not recorded

  [[nodiscard]] const AddressLimits& limits_of(ClientKey client) const {
    return client.is_local() ? this_machine : elsewhere;
  }
};

class AccessLog;
struct LogLimits;

struct Machinery {
  io::EventLoop& loop;
  io::Dialer& dialer;
  Admission& admission;
  BufferPool& pool;                 ///< blocks for the relays' rings
  MutableBytes scratch;             ///< for the length of one call
  LogLimits* log_limits = nullptr;  ///< null: none
  AccessLog* access_log = nullptr;  ///< null: none
  io::PipePool* pipes = nullptr;    ///< for bulk to clients; null: nothing is spliced
};

}  // namespace wsproxy::session
