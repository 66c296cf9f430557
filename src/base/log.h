// The log: an event becomes one record, and every sink writes it in one piece. A sink that is too slow loses
// lines, not the daemon.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace wsproxy::log {

enum class Level : std::uint8_t { Error, Warning, Info, Debug };

/// Text longer than this is cut, before and after escaping; a line with all that is put around the text fits
/// into PIPE_BUF, so that a pipe takes it whole.
constexpr std::size_t kMaxText = 4000;

/// A piece of a record that machines search for. Text is taken as it came from outside: sinks escape it and
/// cut it at kMaxField bytes. A double counts seconds.
struct Field {
  std::string_view name;  ///< lower case ASCII letters and '_'
  std::variant<std::string_view, std::uint64_t, double> value;
};
constexpr std::size_t kMaxField = 512;

struct Record {
  Level level = Level::Info;
  std::string_view text;  ///< not escaped yet
  std::chrono::system_clock::time_point time;
  std::span<const Field> fields;
};

/// Where records go. Nothing in it may block: it is called from the event loop.
class Sink {
 public:
  virtual ~Sink() = default;

  /// False: it would block, or was lost. The log counts such records, and has the number written before the
  /// next one.
  virtual bool write(const Record& record) = 0;

  /// After SIGUSR1: opens again what has a name.
  virtual void reopen() {}

  /// Why records are lost, in words that follow "N log lines lost: ".
  [[nodiscard]] virtual std::string_view loss() const { return "the reader is too slow"; }

  /// What has gone wrong with it since the last call, or nothing: the other sinks will say it.
  virtual std::string take_trouble() { return {}; }
};

/// Where whole lines go, for sinks and other logs that are made of lines. Nothing in it may block.
class Output {
 public:
  virtual ~Output() = default;

  /// `line` ends with its newline and has no other. False: it would block, or was lost.
  virtual bool write(std::string_view line) = 0;
  virtual void reopen() {}
  [[nodiscard]] virtual std::string_view loss() const { return "the reader is too slow"; }
  virtual std::string take_trouble() { return {}; }
};

/// Records above `level` are not written. Default: Info.
void set_level(Level level);
[[nodiscard]] bool enabled(Level level);

/// Where records go; one sink at the start: text to descriptor 2. Without any, nothing is written.
void set_sinks(std::vector<std::unique_ptr<Sink>> sinks);

/// Text to `fd` and nowhere else. The descriptor stays the caller's.
void set_fd(int fd);

/// In a forked process that goes on by itself: nothing is written any more, and the sinks, which are the
/// other's, are not touched.
void leave_sinks();

/// Has every sink open again what has a name.
void reopen();

/// Writes one record, now, to every sink; `text` is cut at kMaxText bytes. As text, control bytes and bytes
/// that are not ASCII come out as \xHH, so a client cannot forge a line or reach a terminal.
///
/// Never blocks: what a sink cannot take, or there is no memory for, is dropped and counted, and the next
/// record that gets through is preceded by how many were lost.
void write(Level level, std::string_view text, std::span<const Field> fields = {});

[[gnu::format(printf, 1, 2)]] void error(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void warning(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void info(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void debug(const char* format, ...);

/// The same with fields for those who search by session, client or target.
[[gnu::format(printf, 2, 3)]] void info(std::span<const Field> fields, const char* format, ...);

/// `text` with every byte outside printable ASCII escaped.
std::string printable(std::string_view text);

/// The same for text that goes between quotes: with every byte outside printable ASCII, and `"` and
/// `\`, escaped.
std::string escape(std::string_view text);

}  // namespace wsproxy::log
