// What strangers send, in our logs: lines of both logs stay whole, short and plain, a reader of the JSON gets
// back what was sent, and no query gets in. One a line: text, field, method, path, referer, user agent.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/hex.h"
#include "base/log_format.h"
#include "base/utf8.h"
#include "fuzz/fuzz_input.h"
#include "session/access_log.h"

using namespace wsproxy;

namespace {

void check_line(std::string_view line) {
  CHECK(line.size() <= 4096 && line.ends_with('\n'));
  line.remove_suffix(1);
  CHECK(std::ranges::all_of(line, [](char c) { return c >= ' ' && c < 0x7f; }));
}

unsigned hex_number(std::string_view digits) {
  unsigned value = 0;
  for (const char c : digits) {
    CHECK(hex_value(c) >= 0);
    value = value << 4 | static_cast<unsigned>(hex_value(c));
  }
  return value;
}

void append_utf8(std::string& out, unsigned point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += {static_cast<char>(0xc0 | point >> 6), static_cast<char>(0x80 | (point & 63))};
  } else if (point < 0x10000) {
    out += {static_cast<char>(0xe0 | point >> 12), static_cast<char>(0x80 | (point >> 6 & 63)),
            static_cast<char>(0x80 | (point & 63))};
  } else {
    out += {static_cast<char>(0xf0 | point >> 18), static_cast<char>(0x80 | (point >> 12 & 63)),
            static_cast<char>(0x80 | (point >> 6 & 63)), static_cast<char>(0x80 | (point & 63))};
  }
}

// Takes a JSON string off the front of `json` (RFC 8259 section 7).
std::string take_json_string(std::string_view& json) {
  std::string out;
  CHECK(json.starts_with('"'));
  std::size_t i = 1;
  for (; i < json.size() && json[i] != '"'; ++i) {
    CHECK(json[i] >= ' ' && json[i] < 0x7f);
    if (json[i] != '\\') {
      out += json[i];
      continue;
    }
    constexpr std::string_view kShort = "\"\\/bfnrt";
    ++i;
    CHECK(i < json.size());
    if (const auto at = kShort.find(json[i]); at != std::string_view::npos) {
      out += std::string_view("\"\\/\b\f\n\r\t")[at];
      continue;
    }
    CHECK(json[i] == 'u' && i + 4 < json.size());
    unsigned point = hex_number(json.substr(i + 1, 4));
    i += 4;
    CHECK(point < 0xdc00 || point > 0xdfff);
    if (point >= 0xd800 && point < 0xdc00) {
      CHECK(json.substr(i + 1, 2) == "\\u" && i + 6 < json.size());
      const unsigned low = hex_number(json.substr(i + 3, 4));
      CHECK(low >= 0xdc00 && low <= 0xdfff);
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
      i += 6;
    }
    append_utf8(out, point);
  }
  CHECK(i < json.size());
  json.remove_prefix(i + 1);
  return out;
}

// An object of strings and numbers, as both logs write it.
void check_json(std::string_view json) {
  CHECK(json.starts_with('{') && json.ends_with("}\n"));
  json = json.substr(1, json.size() - 3);
  while (true) {
    CHECK(!take_json_string(json).empty());
    CHECK(json.starts_with(':'));
    json.remove_prefix(1);
    if (json.starts_with('"')) {
      (void)take_json_string(json);
    } else {
      const auto end = std::min(json.find(','), json.size());
      CHECK(end > 0 && json.substr(0, end).find_first_not_of("0123456789.") == std::string::npos);
      json.remove_prefix(end);
    }
    if (json.empty()) return;
    CHECK(json.starts_with(','));
    json.remove_prefix(1);
  }
}

// Bytes that are no UTF-8 come out as \xHH; what is UTF-8 comes back as it was.
void check_json_string(std::string_view text) {
  std::string whole = log::json_string(text);
  std::string_view rest = whole;
  const std::string back = take_json_string(rest);
  CHECK(rest.empty() && is_utf8(back) && (!is_utf8(text) || back == text));
  for (const std::size_t most : {2U, 3U, 9U, 13U, 40U}) {
    const std::string cut = log::json_string(text, most);
    rest = cut;
    CHECK(cut.size() <= most && back.starts_with(take_json_string(rest)) && rest.empty());
  }
}

void check_escapes(std::string_view text) {
  for (const std::string& line : {log::printable(text), log::escape(text)}) {
    CHECK(std::ranges::all_of(line, [](char c) { return c >= ' ' && c < 0x7f; }));
  }
  // between quotes there is one way back
  std::string back;
  const std::string escaped = log::escape(text);
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    CHECK(escaped[i] != '"');
    if (escaped[i] != '\\') {
      back += escaped[i];
      continue;
    }
    CHECK(escaped.substr(i, 2) == "\\x" && i + 3 < escaped.size());
    back += static_cast<char>(hex_number(std::string_view(escaped).substr(i + 2, 2)));
    i += 3;
  }
  CHECK(back == text);
  const std::string utf8 = log::printable_utf8(text);
  CHECK(is_utf8(utf8) && std::ranges::none_of(utf8, [](char c) {
          return (static_cast<unsigned char>(c) < ' ' && c >= 0) || c == 0x7f;
        }));
  CHECK(utf8.find("\xc2\x9b") == std::string::npos);  // CSI in eight bits
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::array<std::string_view, 6> line;
  std::string_view rest = fuzz::Input(data, size).text();
  for (std::string_view& one : line) {
    const auto end = std::min(rest.find('\n'), rest.size());
    one = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    check_json_string(one);
    check_escapes(one);
  }
  const auto& [text, field, method, path, referer, agent] = line;

  const std::array fields = {log::Field{"path", field}, log::Field{"bytes", std::uint64_t{size}},
                             log::Field{"reason", text}, log::Field{"duration", 0.25}};
  const log::Record record{log::Level::Warning, text, {}, fields};
  check_line(log::line_of(log::Format::Text, record));
  check_line(log::line_of(log::Format::Priority, record));
  const std::string json = log::line_of(log::Format::Json, record);
  check_line(json);
  check_json(json);

  http::RequestHead head;
  head.method = method;
  const std::string target = std::string(path) + "?token=PASSWORD";
  head.target = target;
  head.path = std::string_view(target).substr(0, target.find('?'));
  const std::string from = std::string(referer) + "?password=PASSWORD";
  head.fields = {{"Referer", from}, {"User-Agent", agent}};
  session::AccessEntry entry = session::access_entry(head);
  entry.client = text;
  entry.user = field;
  entry.websocket = size % 2 == 1;
  entry.target = "localhost:5900";
  const std::string combined = session::combined_line(entry);
  const std::string object = session::json_line(entry);
  check_line(combined);
  check_line(object);
  check_json(object);
  // six quotation marks, ours: nobody begins a field of his own
  CHECK(std::ranges::count(combined, '"') == 6);
  const bool sent = std::ranges::any_of(
      line, [](std::string_view one) { return one.find("PASSWORD") != std::string_view::npos; });
  if (!sent) {
    CHECK(combined.find("PASSWORD") == std::string::npos);
    CHECK(object.find("PASSWORD") == std::string::npos);
  }
  return 0;
}
