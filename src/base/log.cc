#include "base/log.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <ctime>

namespace wsproxy::log {
namespace {

Level threshold = Level::Info;
int sink = STDERR_FILENO;
std::uint64_t lost = 0;

constexpr std::size_t kMaxLine =
    4000;  // under PIPE_BUF with what is put around it: one atomic write
constexpr std::array kNames = {"error", "warning", "info", "debug"};

// A pipe, socket or terminal that polls writable takes PIPE_BUF bytes at once. O_NONBLOCK would do
// too, but the flag belongs to everyone who shares the terminal, our parent shell among them.
bool write_line(std::string_view line) {
  pollfd poll_fd{sink, POLLOUT, 0};
  if (::poll(&poll_fd, 1, 0) != 1 || (poll_fd.revents & POLLOUT) == 0) return false;
  return ::write(sink, line.data(), line.size()) >= 0;
}

std::string timestamp() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  std::array<char, 64> text{};
  const std::size_t n = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data() + n, text.size() - n, ".%03dZ",
                static_cast<int>(now.tv_nsec / 1000000));
  return text.data();
}

// Appends `c` to `out`, printable or as \xHH.
void put(std::string& out, char c, bool quote_too) {
  const auto byte = static_cast<unsigned char>(c);
  const bool plain = byte >= 0x20 && byte < 0x7f && !(quote_too && (c == '"' || c == '\\'));
  if (plain) {
    out += c;
    return;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
}

void format_and_write(Level level, const char* format, va_list arguments) {
  if (!enabled(level)) return;
  std::array<char, kMaxLine> text{};
  const int n = std::vsnprintf(text.data(), text.size(), format, arguments);
  if (n < 0) return;
  write(level, {text.data(), std::min(static_cast<std::size_t>(n), text.size() - 1)});
}

}  // namespace

void set_level(Level level) { threshold = level; }
bool enabled(Level level) { return level <= threshold; }
void set_fd(int fd) { sink = fd; }

void write(Level level, std::string_view text) {
  if (!enabled(level)) return;
  std::string line = timestamp() + " " + kNames[static_cast<std::size_t>(level)] + " ";
  line += printable(text.substr(0, kMaxLine)).substr(0, kMaxLine);
  line += '\n';
  if (lost > 0) {
    const std::string gap = timestamp() + " warning " + std::to_string(lost) +
                            " log lines lost: the reader is too slow\n";
    if (!write_line(gap)) {
      ++lost;
      return;
    }
    lost = 0;
  }
  if (!write_line(line)) ++lost;
}

#define WSPROXY_LOG_FUNCTION(name, level)       \
  void name(const char* format, ...) {          \
    va_list arguments;                          \
    va_start(arguments, format);                \
    format_and_write(level, format, arguments); \
    va_end(arguments);                          \
  }
WSPROXY_LOG_FUNCTION(error, Level::Error)
WSPROXY_LOG_FUNCTION(warning, Level::Warning)
WSPROXY_LOG_FUNCTION(info, Level::Info)
WSPROXY_LOG_FUNCTION(debug, Level::Debug)
#undef WSPROXY_LOG_FUNCTION

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) put(out, c, false);
  return out;
}

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) put(out, c, true);
  return out;
}

}  // namespace wsproxy::log
