// The systemd journal, in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): fields instead of a line.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "daemon/log_socket.h"

namespace wsproxy::daemon {

constexpr std::string_view kJournalSocket = "/run/systemd/journal/socket";

/// True if descriptor `fd` is the stream to the journal that $JOURNAL_STREAM, given as `variable` or null,
/// names as DEVICE:INODE (systemd.exec(5)).
bool is_journal_stream(int fd, const char* variable);

/// MESSAGE, PRIORITY and SYSLOG_IDENTIFIER, and every field as WSPROXY_ and its name in capitals.
std::string journal_message(const log::Record& record);

class JournalSink final : public log::Sink {
 public:
  /// Errors: Io or Invalid, when nothing listens on `path`.
  static Result<std::unique_ptr<JournalSink>> open(std::string_view path = kJournalSocket);

  bool write(const log::Record& record) override { return socket_.send(journal_message(record)); }
  [[nodiscard]] std::string_view loss() const override { return "the journal is too slow"; }

 private:
  explicit JournalSink(LogSocket socket) : socket_(std::move(socket)) {}
  LogSocket socket_;
};

}  // namespace wsproxy::daemon
