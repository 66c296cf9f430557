#include "base/log_format.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "base/hex.h"
#include "base/utf8.h"

namespace wsproxy::log {
namespace {

constexpr std::size_t kMaxLine = 4096;  // PIPE_BUF

constexpr std::array<std::string_view, 4> kNames = {"error", "warning", "info", "debug"};
constexpr std::array kSeverities = {3, 4, 6, 7};

std::string escaped(std::string_view text, bool quote_too) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 0x20 && byte < 0x7f && !(quote_too && (c == '"' || c == '\\'));
    if (plain) {
      out += c;
    } else {
      append_hex_escape(out, c);
    }
  }
  return out;
}

// The character in front of `text`, which is not empty. `bytes` is 1 and `valid` false where no UTF-8 begins.
struct Character {
  char32_t value = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (text.size() < bytes || !is_utf8(text.substr(0, bytes))) return {};
  char32_t value = lead & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    value = (value << 6) | (static_cast<unsigned char>(text[i]) & 0x3fU);
  }
  return {value, bytes, true};
}

void put_u(std::string& out, unsigned unit) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "\\u%04x", unit & 0xffffU);
  out += text.data();
}

void put_json(std::string& out, char32_t c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  if (c >= 0x20 && c < 0x7f) {
    out += static_cast<char>(c);
  } else if (c < 0x10000) {
    put_u(out, static_cast<unsigned>(c));
  } else {
    const unsigned rest = static_cast<unsigned>(c) - 0x10000U;
    put_u(out, 0xd800U + (rest >> 10));
    put_u(out, 0xdc00U + (rest & 0x3ffU));
  }
}

std::string json_value(const Field& field) {
  return std::holds_alternative<std::string_view>(field.value) ? json_string(value_text(field))
                                                               : value_text(field);
}

std::string json_line(const Record& record) {
  std::string line = R"({"time":")" + timestamp(record.time) + R"(","level":")" +
                     std::string(name_of(record.level)) + R"(","message":)";
  constexpr std::string_view kEnd = "}\n";
  // the fields are what a program reads, so they come first when room is given out
  std::string fields;
  for (const Field& field : record.fields) {
    const std::string one = ",\"" + std::string(field.name) + "\":" + json_value(field);
    if (line.size() + fields.size() + one.size() + 64 <= kMaxLine) fields += one;
  }
  line += json_string(record.text, kMaxLine - line.size() - fields.size() - kEnd.size());
  return line + fields + std::string(kEnd);
}

}  // namespace

std::string line_of(Format format, const Record& record) {
  if (format == Format::Json) return json_line(record);
  const std::string text = printable(record.text.substr(0, kMaxText)).substr(0, kMaxText);
  if (format == Format::Priority) {
    return "<" + std::to_string(severity_of(record.level)) + ">" + text + "\n";
  }
  return timestamp(record.time) + " " + std::string(name_of(record.level)) + " " + text + "\n";
}

std::string_view name_of(Level level) { return kNames[static_cast<std::size_t>(level)]; }
int severity_of(Level level) { return kSeverities[static_cast<std::size_t>(level)]; }

std::string timestamp(std::chrono::system_clock::time_point time) {
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(milliseconds);
  const std::time_t whole = seconds.count();
  tm utc{};
  ::gmtime_r(&whole, &utc);
  std::array<char, 64> text{};
  const std::size_t n = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data() + n, text.size() - n, ".%03dZ",
                static_cast<int>((milliseconds - seconds).count()));
  return text.data();
}

std::string value_text(const Field& field) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    return std::string(text->substr(0, kMaxField));
  }
  if (const auto* number = std::get_if<std::uint64_t>(&field.value)) return std::to_string(*number);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.3f", std::get<double>(field.value));
  return text.data();
}

std::string json_string(std::string_view text, std::size_t max_bytes) {
  std::string out = "\"";
  while (!text.empty()) {
    const Character c = first_character(text);
    const std::size_t before = out.size();
    if (c.valid) {
      put_json(out, c.value);
    } else {
      out += '\\';  // doubled: the reader of the JSON sees \xHH
      append_hex_escape(out, text[0]);
    }
    if (out.size() + 1 > max_bytes) {
      out.resize(before);
      break;
    }
    text.remove_prefix(c.bytes);
  }
  return out + '"';
}

std::string printable(std::string_view text) { return escaped(text, false); }
std::string escape(std::string_view text) { return escaped(text, true); }

std::string printable_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = first_character(text);
    // U+0080 to U+009F move the cursor of some terminals as well
    const bool control = c.value < 0x20 || (c.value >= 0x7f && c.value < 0xa0);
    for (std::size_t i = 0; i < c.bytes; ++i) {
      if (!c.valid || control) {
        append_hex_escape(out, text[i]);
      } else {
        out += text[i];
      }
    }
    text.remove_prefix(c.bytes);
  }
  return out;
}

}  // namespace wsproxy::log
