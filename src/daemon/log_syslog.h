// Syslog: RFC 5424, or the form from before it, to a socket of this machine or over UDP (RFC 5426).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/endpoint.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/log_socket.h"
#include "io/resolver.h"

namespace wsproxy::daemon {

enum class Facility : std::uint8_t { User = 1, Daemon = 3 };

struct SyslogForm {
  bool legacy = false;  ///< "<pri>wsproxy[pid]: text", without a time
  Facility facility = Facility::User;
  std::string host;  ///< this machine's name; empty: unknown
  pid_t pid = 0;
};

/// One record as a message without a line end, its text and fields in UTF-8 and without control characters.
std::string syslog_message(const SyslogForm& form, const log::Record& record);

/// Where messages go: "HOST:PORT", or the path of a socket, which begins with '/' or has no ':'.
class SyslogSink final : public log::Sink {
 public:
  /// Looks the name up, which may block. A socket that exists but that nobody serves now is tried again with
  /// every record. Errors: Invalid or Io, naming `where`.
  static Result<std::unique_ptr<SyslogSink>> open(const std::string& where, SyslogForm form);

  bool write(const log::Record& record) override;

  /// Connects anew; a name is looked up again if there is a resolver, and until it is found messages go to
  /// the old address.
  void reopen() override;
  [[nodiscard]] std::string_view loss() const override { return "the syslog daemon took none"; }
  std::string take_trouble() override { return std::exchange(trouble_, {}); }

  [[nodiscard]] bool has_name() const { return !name_.host.empty(); }
  [[nodiscard]] bool looking_up() const { return lookup_ && lookup_->pending(); }
  void use_resolver(io::Resolver* resolver);

 private:
  SyslogSink(SyslogForm form, const SocketAddress& address)
      : form_(std::move(form)), socket_(address) {}
  void looked_up();

  SyslogForm form_;
  LogSocket socket_;
  HostPort name_;  // host empty: there is nothing to look up
  io::Resolver* resolver_ = nullptr;
  std::unique_ptr<io::Lookup> lookup_;
  std::string trouble_;
};

}  // namespace wsproxy::daemon
