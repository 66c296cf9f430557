// What a log record looks like as a line.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/log.h"

namespace wsproxy::log {

enum class Format : std::uint8_t {
  Text,      ///< "2026-01-31T12:00:00.000Z info TEXT"
  Json,      ///< an object with time, level, message and the fields
  Priority,  ///< "<6>TEXT", as systemd reads a service's stderr: the journal has a clock of its own
};

/// The line with its newline, at most 4,096 bytes of printable ASCII. Text that is too long is cut; a field
/// that finds no room is left out.
std::string line_of(Format format, const Record& record);

/// "error", "warning", "info", "debug"
std::string_view name_of(Level level);

/// Syslog's number for it (RFC 5424 section 6.2.1): 3, 4, 6 or 7.
int severity_of(Level level);

/// "2026-01-31T12:00:00.000Z"
std::string timestamp(std::chrono::system_clock::time_point time);

/// A field's value as text, not escaped, at most kMaxField bytes. Seconds have three decimals.
std::string value_text(const Field& field);

/// `text` as a JSON string with its quotes, in ASCII (RFC 8259 section 7). A byte that is not UTF-8 becomes
/// the four characters \xHH, so that it is not lost. Text is cut where the string would have more than `max_bytes`.
std::string json_string(std::string_view text, std::size_t max_bytes = std::string::npos);

/// `text` for readers that know UTF-8: control characters and what is not UTF-8 as \xHH, the rest as it is.
std::string printable_utf8(std::string_view text);

}  // namespace wsproxy::log
