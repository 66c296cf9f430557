// What one session says of itself: its lines in the log and in the access log, and its summary.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/request.h"
#include "session/access_log.h"
#include "session/log_limits.h"
#include "session/phase.h"
#include "session/relay.h"
#include "session/settings.h"

namespace wsproxy::session {

/// Text from outside, escaped and cut for a line.
std::string for_log(std::string_view text);

class SessionLog {
 public:
  /// `peer` is the client, "10.0.0.7:51123". Begins now; `machinery` outlives it.
  SessionLog(std::uint64_t id, std::string peer, const Machinery& machinery);

  [[nodiscard]] std::uint64_t id() const { return id_; }

  /// "[s7 10.0.0.7:51123]", which begins every line.
  [[nodiscard]] std::string tag() const;

  /// False: the line of this kind is one too many, for all sessions together.
  [[nodiscard]] bool may_log(LogLimits::Kind LogLimits::* kind) const;

  /// A line with the tag in front, put together only if somebody wants it. At most 1,200 bytes.
  [[gnu::format(printf, 2, 3)]] void debug(const char* format, ...) const;

  /// The session's opening line; a closing one is due then.
  void open(const std::string& target, std::string_view path, bool secure);
  [[nodiscard]] bool is_open() const { return open_; }

  /// The closing line; `more` is what the relay's own words leave out.
  void close(const std::string& target, const Relay& relay, std::string_view more);

  /// A request is being answered: its entry begins. `user` may be empty.
  void begin_access(const http::RequestHead& head, int status, std::string user);

  /// It has its answer of so many bytes, or will never have it: the entry is written. Nothing if none
  /// has begun.
  void end_access(std::uint64_t bytes);
  /// The same for a session that was relayed.
  void end_access(const std::string& target, const Relay& relay);

  /// Who, in which phase, since when and, with a relay, with whom and how much.
  [[nodiscard]] std::string summary(Phase phase, const std::string& target,
                                    const Relay* relay) const;

 private:
  struct PendingAccess {
    AccessEntry entry;
    SteadyTime began;
  };

  void write(std::unique_ptr<PendingAccess> access);
  [[nodiscard]] double seconds_since(SteadyTime time) const;

  std::uint64_t id_;
  std::string peer_;
  const Machinery& machinery_;
  SteadyTime began_;
  bool open_ = false;
  std::unique_ptr<PendingAccess> access_;  // of the request that is being answered
};

}  // namespace wsproxy::session
