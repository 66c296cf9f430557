#include "http/request.h"

#include <algorithm>
#include <array>

#include "base/hex.h"

namespace wsproxy::http {
namespace {

// RFC 9110 section 5.6.2: what methods and field names are made of.
constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~"))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr auto kTokenTable = make_token_table();

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// Takes one line off the front of `text`; the scanner has seen that all of them end in CRLF.
std::string_view take_line(std::string_view& text) {
  const auto end = text.find("\r\n");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  return line;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return hex_value(c) >= 0; }
bool is_unreserved(char c) {
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') ||
         std::string_view("-._~").find(c) != std::string_view::npos;
}

// RFC 3986 section 3.2.2: what stands between the brackets of an address, its zone as RFC 6874 has it.
bool is_ip_literal(std::string_view text) {
  const auto percent = text.find('%');
  if (percent != std::string_view::npos) {
    const std::string_view zone = text.substr(percent);
    if (zone.size() < 4 || !zone.starts_with("%25")) return false;
    if (!std::ranges::all_of(zone.substr(3), is_unreserved)) return false;
  }
  const std::string_view address = text.substr(0, percent);
  return address.find(':') != std::string_view::npos &&
         std::ranges::all_of(address, [](char c) { return is_hex(c) || c == ':' || c == '.'; });
}

// RFC 3986 section 3.2.2, but for the comma: to somebody else it may be a list.
bool is_registered_name(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_unreserved(text[i]) ||
        std::string_view("!$&'()*+;=").find(text[i]) != std::string_view::npos)
      continue;
    if (text[i] != '%' || i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2]))
      return false;
    i += 2;
  }
  return true;
}

// RFC 9110 section 7.2: uri-host [":" port], nothing that could be taken for a path, a user or a list.
bool is_host(std::string_view text) {
  std::size_t end = text.find(':');
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos || !is_ip_literal(text.substr(1, end - 1))) return false;
    ++end;
  } else if (end == 0 || !is_registered_name(text.substr(0, end))) {
    return false;
  }
  if (end >= text.size()) return true;
  return text[end] == ':' && std::ranges::all_of(text.substr(end + 1), is_digit);
}

void set_path(std::string_view origin, RequestHead& out) {
  const auto question = origin.find('?');
  out.path = origin.substr(0, question);
  out.query = question == std::string_view::npos ? "" : origin.substr(question + 1);
  if (out.path.empty()) out.path = "/";
}

// RFC 9112 section 3.2: four forms, and each method has its own.
int parse_target(RequestHead& out) {
  const std::string_view target = out.target;
  if (out.method == "CONNECT") {  // section 3.2.3: only the authority, and a port is a must
    out.host = target;
    const bool has_port = is_digit(target.back()) && target.find(':') != std::string_view::npos;
    return has_port && is_host(target) ? 0 : 400;
  }
  if (target == "*") {  // section 3.2.4
    out.path = target;
    return out.method == "OPTIONS" ? 0 : 400;
  }
  if (target.starts_with('/')) {
    set_path(target, out);
    return 0;
  }
  // section 3.2.2: the whole URI. RFC 9110 section 4.2: without a host it is invalid, and a user
  // in it is the mark of one that deceives.
  const auto colon = target.find("://");
  if (colon == std::string_view::npos) return 400;
  const std::string_view scheme = target.substr(0, colon);
  const bool known = std::ranges::any_of(
      std::array<std::string_view, 4>{"http", "https", "ws", "wss"},
      [&](std::string_view name) { return equals_ignoring_case(scheme, name); });
  const std::string_view rest = target.substr(colon + 3);
  const auto end = rest.find_first_of("/?");
  out.host = rest.substr(0, end);
  if (!known || out.host.empty() || !is_host(out.host)) return 400;
  set_path(end == std::string_view::npos ? "/" : rest.substr(end), out);
  return 0;
}

// RFC 9112 section 3: method SP request-target SP HTTP-version, with single spaces.
int parse_request_line(std::string_view line, const HeadLimits& limits, RequestHead& out) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return 400;
  out.method = line.substr(0, first);
  out.target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(out.method) || out.target.empty()) return 400;
  if (out.target.size() > limits.target_bytes) return 414;
  // a fragment is never sent: who sees one may read another path than we do
  const bool visible =
      std::ranges::all_of(out.target, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  if (!visible) return 400;
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.') return 400;
  if (version[5] != '1') return version[5] >= '0' && version[5] <= '9' ? 505 : 400;
  if (version[7] < '0' || version[7] > '9') return 400;
  out.minor_version = version[7] == '0' ? 0 : 1;

  return parse_target(out);
}

// RFC 9112 section 6: we take no body, but framing that two readers read differently is an attack.
int check_framing(const RequestHead& head) {
  const std::size_t lengths = head.count("content-length");
  if (head.count("transfer-encoding") > 0) {
    if (lengths > 0 || head.minor_version == 0) return 400;
    const auto codings = head.list("transfer-encoding");
    const auto chunked = std::ranges::find_if(
        codings, [](std::string_view coding) { return equals_ignoring_case(coding, "chunked"); });
    // RFC 9112 section 6.1: chunked comes once, and last; without it, where does the body end?
    if (chunked == codings.end()) return 501;
    return chunked + 1 == codings.end() ? 0 : 400;
  }
  if (lengths > 1) return 400;
  if (const auto length = head.field("content-length")) {
    const bool digits = std::ranges::all_of(*length, [](char c) { return c >= '0' && c <= '9'; });
    if (length->empty() || length->size() > 18 || !digits) return 400;
  }
  return 0;
}

}  // namespace

bool is_token_char(char c) { return kTokenTable[static_cast<unsigned char>(c)]; }

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::string_view> RequestHead::field(std::string_view name) const {
  std::optional<std::string_view> value;
  for (const Field& field : fields) {
    if (!equals_ignoring_case(field.name, name)) continue;
    if (value) return std::nullopt;
    value = field.value;
  }
  return value;
}

std::size_t RequestHead::count(std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      fields, [&](const Field& field) { return equals_ignoring_case(field.name, name); }));
}

std::vector<std::string_view> RequestHead::list(std::string_view name) const {
  std::vector<std::string_view> elements;
  for (const Field& field : fields) {
    if (!equals_ignoring_case(field.name, name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      const std::string_view element = trim(rest.substr(0, comma));
      if (!element.empty()) elements.push_back(element);
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return elements;
}

bool RequestHead::lists(std::string_view name, std::string_view token) const {
  return std::ranges::any_of(list(name),
                             [&](std::string_view e) { return equals_ignoring_case(e, token); });
}

bool RequestHead::keeps_alive() const {
  return minor_version == 1 && !lists("connection", "close");
}

Parse HeadScanner::bad(int status) {
  status_ = status;
  return Parse::Bad;
}

Parse HeadScanner::scan(Bytes in) {
  const std::string_view text = as_text(in);
  for (; scanned_ < text.size(); ++scanned_) {
    const char c = text[scanned_];
    if (scanned_ >= limits_.bytes) return bad(431);
    if (c == '\n') {
      if (scanned_ == line_start_ || text[scanned_ - 1] != '\r') return bad(400);
      const bool empty_line = scanned_ == line_start_ + 1;
      line_start_ = scanned_ + 1;
      if (!empty_line) {
        in_request_line_ = false;
      } else if (!in_request_line_) {
        ++scanned_;
        return Parse::Done;
      }  // else: empty lines before the request line are to be ignored (RFC 9112 section 2.2)
      continue;
    }
    if (scanned_ > line_start_ && text[scanned_ - 1] == '\r') return bad(400);
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t' && c != '\r') || byte == 0x7f) return bad(400);
    if (!in_request_line_) continue;
    const std::size_t column = scanned_ - line_start_;
    if (column == 0 && c != '\r' && !is_token_char(c)) return bad(400);
    if (byte >= 0x80 || c == '\t') return bad(400);
    // method, space, target, space, version: allow 64 bytes for all that is not the target
    if (column > limits_.target_bytes + 64) {
      // RFC 9112 section 3: 501 for a method longer than any that we know
      const bool in_method = text.substr(line_start_, column).find(' ') == std::string_view::npos;
      return bad(in_method ? 501 : 414);
    }
  }
  return Parse::NeedMore;
}

int parse_request_head(Bytes head, const HeadLimits& limits, RequestHead& out) {
  out = {};
  std::string_view text = as_text(head);
  while (text.starts_with("\r\n")) text.remove_prefix(2);
  if (const int status = parse_request_line(take_line(text), limits, out); status != 0)
    return status;
  out.fields.reserve(16);
  while (true) {
    const std::string_view line = take_line(text);
    if (line.empty()) break;
    // obs-fold and a space before the colon both fail here: neither is a token (RFC 9112 section 5)
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return 400;
    if (out.fields.size() == limits.fields) return 431;
    out.fields.push_back({line.substr(0, colon), trim(line.substr(colon + 1))});
  }
  const std::size_t hosts = out.count("host");
  if (hosts > 1 || (hosts == 0 && out.minor_version == 1)) return 400;
  if (const auto host = out.field("host")) {
    if (!is_host(*host)) return 400;
    if (out.host.empty()) out.host = *host;
  }
  return check_framing(out);
}

std::string_view method_of(Bytes head) {
  std::string_view text = as_text(head);
  while (text.starts_with("\r\n")) text.remove_prefix(2);
  const std::string_view method = text.substr(0, text.substr(0, 32).find(' '));
  return method.size() < text.size() && is_token(method) ? method : std::string_view();
}

bool is_known_method(std::string_view method) {
  static constexpr std::array<std::string_view, 9> kMethods = {
      "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  return std::ranges::find(kMethods, method) != kMethods.end();
}

bool has_body(const RequestHead& head) {
  if (head.count("transfer-encoding") > 0) return true;
  const auto length = head.field("content-length");
  return length && length->find_first_not_of('0') != std::string_view::npos;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return std::nullopt;
    out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
    i += 2;
  }
  return out;
}

}  // namespace wsproxy::http
