#include "daemon/log_journal.h"

#include <sys/stat.h>

#include <cctype>

#include "base/log_format.h"

namespace wsproxy::daemon {

bool is_journal_stream(int fd, const char* variable) {
  struct stat status{};
  if (variable == nullptr || ::fstat(fd, &status) != 0) return false;
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == variable;
}

std::string journal_message(const log::Record& record) {
  // a value with a line end would need the protocol's other form: there is none left in these
  std::string out = "MESSAGE=" + log::printable_utf8(record.text) +
                    "\nPRIORITY=" + std::to_string(log::severity_of(record.level)) +
                    "\nSYSLOG_IDENTIFIER=wsproxy\n";
  for (const log::Field& field : record.fields) {
    out += "WSPROXY_";
    for (const char c : field.name) {
      out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    out += "=" + log::printable_utf8(value_text(field)) + "\n";
  }
  return out;
}

Result<std::unique_ptr<JournalSink>> JournalSink::open(std::string_view path) {
  auto address = SocketAddress::unix_path(path);
  if (!address) return std::unexpected(address.error());
  LogSocket socket(*address);
  if (const Status status = socket.connect(); !status) return std::unexpected(status.error());
  return std::unique_ptr<JournalSink>(new JournalSink(std::move(socket)));
}

}  // namespace wsproxy::daemon
