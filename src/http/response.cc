#include "http/response.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

namespace wsproxy::http {
namespace {

constexpr std::array<std::pair<int, std::string_view>, 22> kReasons = {{
    {101, "Switching Protocols"},
    {200, "OK"},
    {206, "Partial Content"},
    {304, "Not Modified"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {412, "Precondition Failed"},
    {414, "URI Too Long"},
    {416, "Range Not Satisfiable"},
    {421, "Misdirected Request"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
}};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

// RFC 9110 section 5.6.7: what is sent, and two older forms that have to be understood.
constexpr const char* kImfFixdate = "%a, %d %b %Y %H:%M:%S GMT";
constexpr const char* kRfc850Date = "%A, %d-%b-%y %H:%M:%S GMT";
constexpr const char* kAsctimeDate = "%a %b %e %H:%M:%S %Y";

std::string format_date(std::time_t time, const char* format) {
  tm utc{};
  ::gmtime_r(&time, &utc);
  std::array<char, 64> text{};
  // no locale is ever set in this process, so the names of days and months are English
  std::strftime(text.data(), text.size(), format, &utc);
  return text.data();
}

// A year of two digits, not more than 50 years ahead.
int year_near(int two_digits, std::time_t now) {
  tm utc{};
  ::gmtime_r(&now, &utc);
  const int year = utc.tm_year - utc.tm_year % 100 + two_digits;
  return year > utc.tm_year + 50 ? year - 100 : year;
}

// Weak comparison (RFC 9110 section 8.8.3.2) of one element of If-None-Match with our strong tag.
bool matches_weakly(std::string_view candidate, std::string_view etag) {
  if (candidate.starts_with("W/")) candidate.remove_prefix(2);
  return candidate == etag;
}

}  // namespace

std::string_view reason_phrase(int status) {
  const auto* found = std::ranges::find(kReasons, status, &std::pair<int, std::string_view>::first);
  return found == kReasons.end() ? "Unknown" : found->second;
}

ResponseHead::ResponseHead(int status, std::time_t now)
    : text_("HTTP/1.1 " + std::to_string(status) + " " + std::string(reason_phrase(status)) +
            "\r\nDate: " + http_date(now) + "\r\n") {}

ResponseHead& ResponseHead::add(std::string_view name, std::string_view value) {
  text_.append(name).append(": ").append(value).append("\r\n");
  return *this;
}

ResponseHead& ResponseHead::add(std::string_view name, std::uint64_t value) {
  return add(name, std::to_string(value));
}

void add_line(std::string& response, std::string_view name, std::string_view value) {
  std::string line(name);
  line.append(": ").append(value).append("\r\n");
  response.insert(response.find("\r\n") + 2, line);
}

std::string plain_response(int status, std::string_view detail, std::string_view extra_lines,
                           std::time_t now, bool head_only, bool keep_alive) {
  std::string body = std::to_string(status) + " " + std::string(reason_phrase(status)) + "\n";
  if (!detail.empty()) body.append(detail).append("\n");
  ResponseHead head(status, now);
  head.add("Content-Type", "text/plain; charset=utf-8")
      .add("Content-Length", body.size())
      .add("X-Content-Type-Options", "nosniff")
      .add("Cache-Control", "no-store");
  if (!keep_alive) head.add("Connection", "close");
  std::string text = head.str();
  text.insert(text.size() - 2, extra_lines);
  return head_only ? text : text + body;
}

std::string http_date(std::time_t time) { return format_date(time, kImfFixdate); }

std::optional<std::time_t> parse_http_date(std::string_view text, std::time_t now) {
  const std::string copy(text);
  for (const char* format : {kImfFixdate, kRfc850Date, kAsctimeDate}) {
    tm utc{};
    if (::strptime(copy.c_str(), format, &utc) == nullptr) continue;
    if (format == kRfc850Date) utc.tm_year = year_near(utc.tm_year % 100, now);
    const std::time_t time = ::timegm(&utc);
    // strptime is generous with blanks, names and leading zeroes; a date has one spelling
    if (format_date(time, format) == text) return time;
  }
  return std::nullopt;
}

bool accepts_gzip(const RequestHead& head) {
  bool accepted = false;
  for (const std::string_view element : head.list("accept-encoding")) {
    const auto semicolon = element.find(';');
    const std::string_view coding = trim(element.substr(0, semicolon));
    const bool gzip =
        equals_ignoring_case(coding, "gzip") || equals_ignoring_case(coding, "x-gzip");
    if (!gzip && coding != "*") continue;
    bool allowed = true;
    if (semicolon != std::string_view::npos) {
      const std::string_view weight = trim(element.substr(semicolon + 1));
      allowed = !equals_ignoring_case(weight.substr(0, 2), "q=") ||
                std::strtod(std::string(weight.substr(2)).c_str(), nullptr) > 0;
    }
    if (gzip) return allowed;
    accepted = allowed;
  }
  return accepted;
}

bool precondition_fails(const RequestHead& head, std::string_view etag, std::time_t modified,
                        std::time_t now) {
  if (head.count("if-match") > 0) {
    return std::ranges::none_of(head.list("if-match"), [&](std::string_view candidate) {
      return candidate == "*" || candidate == etag;
    });
  }
  const auto since = head.field("if-unmodified-since");
  if (!since || modified == 0) return false;
  const auto time = parse_http_date(*since, now);
  return time && modified > *time;
}

bool not_modified(const RequestHead& head, std::string_view etag, std::time_t modified,
                  std::time_t now) {
  if (head.count("if-none-match") > 0) {
    return std::ranges::any_of(head.list("if-none-match"), [&](std::string_view candidate) {
      return candidate == "*" || matches_weakly(candidate, etag);
    });
  }
  const auto since = head.field("if-modified-since");
  if (!since || modified == 0) return false;
  const auto time = parse_http_date(*since, now);
  return time && modified <= *time;
}

Range requested_range(const RequestHead& head, std::uint64_t size, std::string_view etag,
                      std::time_t modified, std::time_t now) {
  const Range whole{Range::Kind::Whole, 0, size};
  const auto field = head.field("range");
  if (!field || !equals_ignoring_case(field->substr(0, 6), "bytes=")) return whole;
  if (head.count("if-range") > 0) {
    const std::string_view condition = head.field("if-range").value_or("");
    const auto time = parse_http_date(condition, now);
    if (condition != etag && !(time && *time == modified)) return whole;
  }
  const std::string_view spec = trim(field->substr(6));
  const auto dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return whole;
  const auto first = number(spec.substr(0, dash));
  const auto last = number(spec.substr(dash + 1));
  if (dash == 0) {  // "-N": the last N bytes
    if (!last) return whole;
    if (*last == 0 || size == 0) return {Range::Kind::Unsatisfiable, 0, 0};
    const std::uint64_t length = std::min(*last, size);
    return {Range::Kind::Part, size - length, length};
  }
  if (!first || (!last && dash + 1 != spec.size()) || (last && *last < *first)) return whole;
  if (*first >= size) return {Range::Kind::Unsatisfiable, 0, 0};
  const std::uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return {Range::Kind::Part, *first, end - *first + 1};
}

}  // namespace wsproxy::http
