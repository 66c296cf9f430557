// Where a request goes and whence it comes: request target and query, percent-encoding, Host, Origin, and the
// names that we answer to. One a line: target, Host, Origin, listed origin, server name, then a hosts file.
//
// The query itself is not taken apart anywhere: it is passed over, and kept out of the logs.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "access/host_names.h"
#include "access/origin.h"
#include "base/check.h"
#include "base/endpoint.h"
#include "config/listen_address.h"
#include "fuzz/fuzz_input.h"
#include "http/request.h"

using namespace wsproxy;

namespace {

std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  });
  return out;
}

std::string written(const access::Authority& where) {
  const bool v6 = where.host.find(':') != std::string::npos;
  std::string text = v6 ? "[" + where.host + "]" : where.host;
  if (where.port != 0) text += ":" + std::to_string(where.port);
  return text;
}

// RFC 3986 section 2.1, a character at a time.
void check_percent_decoding(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string wanted;
  bool good = true;
  for (std::size_t i = 0; i < text.size() && good; ++i) {
    if (text[i] != '%') {
      wanted += text[i];
      continue;
    }
    const std::string digits = lowered(text.substr(i + 1, 2));
    const bool has_two = digits.size() == 2 && kDigits.find(digits[0]) != std::string_view::npos &&
                         kDigits.find(digits[1]) != std::string_view::npos;
    if (has_two) wanted += static_cast<char>(std::stoi(digits, nullptr, 16));
    good = has_two;
    i += 2;
  }
  const auto decoded = http::percent_decode(text);
  CHECK(decoded.has_value() == good && (!good || *decoded == wanted));
}

// The path and the query are the end of the target, and nothing is lost between them.
void check_target(std::string_view target) {
  const std::string text = "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  http::HeadScanner scanner;
  if (scanner.scan(as_bytes(text)) != Parse::Done || scanner.head_bytes() != text.size()) return;
  http::RequestHead head;
  if (http::parse_request_head(as_bytes(text), {}, head) != 0) return;
  CHECK(head.target == target && target.find('#') == std::string_view::npos);
  CHECK(head.path.starts_with('/') && head.path.find('?') == std::string_view::npos);
  const bool has_query = target.find('?') != std::string_view::npos;
  const std::string end = std::string(head.path) + (has_query ? "?" : "") + std::string(head.query);
  if (target.starts_with('/')) {
    CHECK(end == target && head.host == "a");
    return;
  }
  // absolute: scheme, authority and that end; an empty path means "/"
  const auto authority = target.find("://") + 3;
  CHECK(authority > 3 && head.host == target.substr(authority, head.host.size()));
  CHECK(head.host.find_first_of("/?#@,") == std::string_view::npos);
  const std::string_view rest = target.substr(authority + head.host.size());
  CHECK(rest == end || (head.path == "/" && "/" + std::string(rest) == end));
}

void check_authority(std::string_view text) {
  const auto where = access::parse_authority(text);
  if (!where) return;
  CHECK(!where->host.empty() && where->host == lowered(where->host));
  CHECK(where->host.find_first_of("[]%/@ ") == std::string::npos);
  CHECK(where->is_address == SocketAddress::numeric(where->host, 0).has_value());
  CHECK(access::parse_authority(written(*where)) == where);
  // what can be read as one passes as a Host
  http::RequestHead head;
  const std::string request = "GET / HTTP/1.1\r\nHost: " + std::string(text) + "\r\n\r\n";
  CHECK(http::parse_request_head(as_bytes(request), {}, head) == 0 && head.host == text);
}

void check_origin(std::string_view origin, std::string_view host, const std::string& listed) {
  const auto ours = access::parse_authority(host);
  const auto none = access::OriginRules::parse({});
  const auto page = access::parse_origin(origin);
  for (const bool secure : {false, true}) {
    if (!none->allows(origin, ours, secure)) continue;
    CHECK(page && ours && page->where.host == ours->host);
    CHECK(page->scheme == "https" || (page->scheme == "http" && !secure));
    CHECK(ours->port == 0 || page->where.port == ours->port);
    // nothing is our own origin by way of a path, a user or another spelling of the scheme's end
    CHECK(origin.find_first_of("@?# ") == std::string_view::npos);
    CHECK(std::ranges::count(origin, '/') == 2);
  }
  if (page) {
    const std::string again = page->scheme + "://" + written(page->where);
    const auto second = access::parse_origin(again);
    CHECK(second && second->scheme == page->scheme && second->where == page->where);
  }
  const auto rules = access::OriginRules::parse({listed});
  if (!rules) {
    CHECK(rules.error().code == Errc::Invalid);
    return;
  }
  const access::Authority elsewhere{"elsewhere.invalid", 1, false};
  if (!rules->allows(origin, elsewhere, true) || listed == "*") return;
  if (origin == "null") {
    CHECK(listed == "null");
    return;
  }
  CHECK(page && (listed != "null" || page->where.host == elsewhere.host));
  if (page->where.host == elsewhere.host) return;
  const std::string rule = lowered(listed);
  const auto star = rule.find("://*.");
  if (star == std::string::npos) {
    const auto same = access::parse_origin(listed);
    CHECK(same && same->where == page->where && same->scheme == page->scheme);
  } else {
    CHECK(rule.starts_with(page->scheme + "://"));
    const auto domain = access::parse_authority(rule.substr(star + 5));
    CHECK(domain && page->where.host.ends_with("." + domain->host));
  }
}

void check_names(std::string_view host, const std::string& given, std::string_view hosts) {
  const auto where = access::parse_authority(host);
  const SocketAddress local = *SocketAddress::numeric("10.0.0.7", 6080);
  const auto machine = access::names_of_machine("desk.example", hosts);
  const auto names = access::HostNames::make({given}, {});
  const auto all = access::HostNames::make({}, machine);
  CHECK(all);
  if (!names) {
    CHECK(names.error().code == Errc::Invalid);
    return;
  }
  if (!where || !names->includes(*where, local) || given == "*") return;
  const bool always = where->host == "localhost" || where->host.ends_with(".localhost") ||
                      where->host == "10.0.0.7";
  const std::string name = lowered(given);
  if (always) return;
  if (name.starts_with("*.")) {
    const auto domain = access::parse_authority(name.substr(2));
    CHECK(domain && where->host.ends_with("." + domain->host));
    return;
  }
  const auto same = access::parse_authority(name);
  const auto bracketed = access::parse_authority("[" + name + "]");
  CHECK((same && same->host == where->host) || (bracketed && bracketed->host == where->host));
}

void check_listen_address(std::string_view text) {
  const auto address = config::parse_listen_address(text);
  if (!address) {
    CHECK(address.error().code == Errc::Invalid && !address.error().text.empty());
    return;
  }
  using Kind = config::ListenAddress::Kind;
  switch (address->kind) {
    case Kind::Systemd: CHECK(text == "systemd"); break;
    case Kind::Unix:
      CHECK(text == "unix:" + address->path && !address->path.empty() &&
            address->path.size() < 108);
      break;
    case Kind::Descriptor: CHECK(address->fd >= 0 && address->fd <= 1048575); break;
    case Kind::Tcp: CHECK(address->tcp.host.size() <= 255); break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::Input(data, size).text();
  std::array<std::string_view, 5> line;
  std::string_view rest = text;
  for (std::string_view& one : line) {
    const auto end = std::min(rest.find('\n'), rest.size());
    one = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const auto& [target, host, origin, listed, given] = line;
  check_target(target);
  for (const std::string_view one : line) {
    check_percent_decoding(one);
    check_listen_address(one);
    if (http::trim(one) == one) check_authority(one);
  }
  check_origin(origin, host, std::string(listed));
  check_names(host, std::string(given), rest);
  return 0;
}
