#include "session/access_log.h"

#include <array>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <utility>

#include "base/log_format.h"

namespace wsproxy::session {
namespace {

std::string_view without_query(std::string_view url) {
  return url.substr(0, url.find_first_of("?#"));
}

// The first of several counts: a client may send anything.
std::string_view first_value(const http::RequestHead& head, std::string_view name) {
  for (const http::Field& field : head.fields) {
    if (http::equals_ignoring_case(field.name, name)) return field.value;
  }
  return {};
}

// Escaped, at most kMaxField bytes, no escape cut in two.
std::string field_text(std::string_view text) {
  std::string out;
  for (const char& c : text.substr(0, log::kMaxField)) {
    const std::string one = log::escape({&c, 1});
    if (out.size() + one.size() > log::kMaxField) break;
    out += one;
  }
  return out.empty() ? "-" : out;
}

// For key=value, where a blank ends the value.
std::string word(std::string_view text) {
  std::string out;
  for (const char c : field_text(text)) {
    if (c == ' ') {
      out += "\\x20";
    } else {
      out += c;
    }
  }
  return out;
}

// "10.0.0.7" of "10.0.0.7:51123", "::1" of "[::1]:51123"; other text as it is.
std::string_view host_of(std::string_view client) {
  if (client.starts_with('[')) return client.substr(1, client.find(']') - 1);
  if (client.starts_with("unix:")) return client;
  return client.substr(0, client.rfind(':'));
}

// "31/Jan/2026:12:00:00 +0000"; strftime's %b depends on the locale.
std::string common_time(std::chrono::system_clock::time_point time) {
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t whole =
      std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  tm utc{};
  ::gmtime_r(&whole, &utc);
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), "%02d/%s/%04d:%02d:%02d:%02d +0000", utc.tm_mday,
                kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                utc.tm_min, utc.tm_sec);
  return text.data();
}

std::string seconds_text(double seconds) { return log::value_text({"duration", seconds}); }

}  // namespace

AccessEntry access_entry(const http::RequestHead& head) {
  AccessEntry entry;
  entry.time = std::chrono::system_clock::now();
  entry.method = head.method;
  entry.path = head.path.empty() ? without_query(head.target) : head.path;
  entry.minor_version = head.minor_version;
  entry.referer = without_query(first_value(head, "Referer"));
  entry.user_agent = first_value(head, "User-Agent");
  return entry;
}

std::string combined_line(const AccessEntry& entry) {
  std::string line = field_text(host_of(entry.client)) + " - " + word(entry.user) + " [" +
                     common_time(entry.time) + "] \"";
  line += entry.method.empty() ? "-"
                               : field_text(entry.method) + " " + field_text(entry.path) +
                                     " HTTP/1." + std::to_string(entry.minor_version);
  line += "\" " + std::to_string(entry.status) + " " + std::to_string(entry.bytes) + " \"" +
          field_text(entry.referer) + "\" \"" + field_text(entry.user_agent) +
          "\" session=" + std::to_string(entry.session);
  if (entry.websocket) {
    line += " target=" + word(entry.target) +
            " to_target=" + std::to_string(entry.bytes_to_target) +
            " to_client=" + std::to_string(entry.bytes) +
            " close_code=" + std::to_string(entry.close_code);
  }
  return line + " duration=" + seconds_text(entry.duration) + "\n";
}

std::string json_line(const AccessEntry& entry) {
  std::string line = "{\"time\":\"" + log::timestamp(entry.time) + "\"";
  const auto add_text = [&](const char* name, std::string_view text) {
    if (text.empty()) return;
    line += std::string(",\"") + name + "\":" + log::json_string(text, log::kMaxField + 2);
  };
  const auto add = [&](const char* name, const std::string& value) {
    line += std::string(",\"") + name + "\":" + value;
  };
  add("session", std::to_string(entry.session));
  add_text("client", entry.client);
  add_text("user", entry.user);
  add_text("method", entry.method);
  add_text("path", entry.path);
  if (!entry.method.empty())
    add("protocol", "\"HTTP/1." + std::to_string(entry.minor_version) + "\"");
  add("status", std::to_string(entry.status));
  add_text("referer", entry.referer);
  add_text("user_agent", entry.user_agent);
  if (entry.websocket) {
    add_text("target", entry.target);
    add("bytes_to_target", std::to_string(entry.bytes_to_target));
    add("bytes_to_client", std::to_string(entry.bytes));
    add("close_code", std::to_string(entry.close_code));
  } else {
    add("bytes", std::to_string(entry.bytes));
  }
  add("duration", seconds_text(entry.duration));
  return line + "}\n";
}

void AccessLog::write(const AccessEntry& entry) {
  if (!output_->write(format_ == Format::Json ? json_line(entry) : combined_line(entry))) {
    ++lost_;
  } else if (lost_ > 0) {
    log::warning("%" PRIu64 " lines of the access log lost: %s", std::exchange(lost_, 0),
                 std::string(output_->loss()).c_str());
  }
  const std::string trouble = output_->take_trouble();
  if (!trouble.empty()) log::error("%s", trouble.c_str());
}

}  // namespace wsproxy::session
