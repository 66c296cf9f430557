#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <new>
#include <utility>

#include "base/log_format.h"
#include "base/log_output.h"

namespace wsproxy::log {
namespace {

Level threshold = Level::Info;

struct Slot {
  std::unique_ptr<Sink> sink;
  std::uint64_t lost = 0;
};

std::vector<Slot> slots_of(std::vector<std::unique_ptr<Sink>> sinks) {
  std::vector<Slot> slots;
  slots.reserve(sinks.size());
  for (auto& sink : sinks) slots.push_back({std::move(sink)});
  return slots;
}

std::vector<std::unique_ptr<Sink>> only(int fd) {
  std::vector<std::unique_ptr<Sink>> sinks;
  sinks.push_back(
      std::make_unique<OutputSink>(Format::Text, std::make_unique<DescriptorOutput>(fd)));
  return sinks;
}

std::vector<Slot>& slots() {
  static std::vector<Slot> all = slots_of(only(STDERR_FILENO));
  return all;
}

void deliver(Slot& slot, const Record& record) {
  if (slot.lost > 0) {
    const std::string gap =
        std::to_string(slot.lost) + " log lines lost: " + std::string(slot.sink->loss());
    if (!slot.sink->write({Level::Warning, gap, record.time, {}})) {
      ++slot.lost;
      return;
    }
    slot.lost = 0;
  }
  if (!slot.sink->write(record)) ++slot.lost;
}

// What a sink has to say of itself goes to the others: it cannot be relied on to say it.
void pass_on_troubles(const Record& record) {
  for (Slot& troubled : slots()) {
    const std::string trouble = troubled.sink->take_trouble();
    if (trouble.empty()) continue;
    for (Slot& slot : slots()) {
      if (&slot != &troubled) deliver(slot, {Level::Error, trouble, record.time, {}});
    }
  }
}

void format_and_write(Level level, std::span<const Field> fields, const char* format,
                      va_list arguments) {
  if (!enabled(level)) return;
  std::array<char, kMaxText> text{};
  const int n = std::vsnprintf(text.data(), text.size(), format, arguments);
  if (n < 0) return;
  write(level, {text.data(), std::min(static_cast<std::size_t>(n), text.size() - 1)}, fields);
}

}  // namespace

void set_level(Level level) { threshold = level; }
bool enabled(Level level) { return level <= threshold; }
void set_sinks(std::vector<std::unique_ptr<Sink>> sinks) { slots() = slots_of(std::move(sinks)); }
void set_fd(int fd) { set_sinks(only(fd)); }

void leave_sinks() {
  for (Slot& slot : slots()) (void)slot.sink.release();
  slots().clear();
}

void reopen() {
  for (const Slot& slot : slots()) slot.sink->reopen();
}

void write(Level level, std::string_view text, std::span<const Field> fields) {
  if (!enabled(level)) return;
  const Record record{level, text.substr(0, kMaxText), std::chrono::system_clock::now(), fields};
  for (Slot& slot : slots()) {
    try {
      deliver(slot, record);
    } catch (const std::bad_alloc&) {
      ++slot.lost;
    }
  }
  try {
    pass_on_troubles(record);
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): the next record will
  }
}

#define WSPROXY_LOG_FUNCTION(name, level)           \
  void name(const char* format, ...) {              \
    va_list arguments;                              \
    va_start(arguments, format);                    \
    format_and_write(level, {}, format, arguments); \
    va_end(arguments);                              \
  }
WSPROXY_LOG_FUNCTION(error, Level::Error)
WSPROXY_LOG_FUNCTION(warning, Level::Warning)
WSPROXY_LOG_FUNCTION(info, Level::Info)
WSPROXY_LOG_FUNCTION(debug, Level::Debug)
#undef WSPROXY_LOG_FUNCTION

void info(std::span<const Field> fields, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  format_and_write(Level::Info, fields, format, arguments);
  va_end(arguments);
}

}  // namespace wsproxy::log
