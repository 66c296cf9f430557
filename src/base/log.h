// One event, one line, one write(2) to stderr; a reader that is too slow loses lines, not the
// daemon.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wsproxy::log {

enum class Level : std::uint8_t { Error, Warning, Info, Debug };

/// Lines above `level` are not written. Default: Info.
void set_level(Level level);
[[nodiscard]] bool enabled(Level level);

/// Where lines go; 2 (stderr) at the start. The descriptor stays the caller's.
void set_fd(int fd);

/// Writes one line: time (UTC), level, text. At most 4,000 bytes of it; control bytes and bytes
/// that are not ASCII come out as \xHH, so a client cannot forge a line or reach a terminal.
///
/// Never blocks: when the descriptor would, the line is dropped and counted, and the next line that
/// gets through is preceded by how many were lost.
void write(Level level, std::string_view text);

[[gnu::format(printf, 1, 2)]] void error(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void warning(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void info(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void debug(const char* format, ...);

/// `text` with every byte outside printable ASCII escaped.
std::string printable(std::string_view text);

/// The same for text that goes between quotes: with every byte outside printable ASCII, and `"` and
/// `\`, escaped.
std::string escape(std::string_view text);

}  // namespace wsproxy::log
