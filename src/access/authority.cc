#include "access/authority.h"

#include <algorithm>
#include <charconv>

#include "base/endpoint.h"

namespace wsproxy::access {
namespace {

constexpr std::size_t kLongestName = 255;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

std::optional<std::string> parse_v6(std::string_view text) {
  if (text.find(':') == std::string_view::npos || text.find('%') != std::string_view::npos) {
    return std::nullopt;
  }
  const auto address = SocketAddress::numeric(text, 0);
  if (!address) return std::nullopt;
  std::string host = address->host();
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return host;
}

std::optional<std::string> parse_name(std::string_view text) {
  if (text.size() > 1 && text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kLongestName) return std::nullopt;
  std::string host(text);
  std::ranges::transform(host, host.begin(), lower);
  if (!std::ranges::all_of(host, is_name_char)) return std::nullopt;
  if (host.starts_with('.') || host.ends_with('.') || host.find("..") != std::string::npos) {
    return std::nullopt;
  }
  return host;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  Authority result;
  std::string_view rest;
  std::optional<std::string> host;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    host = parse_v6(text.substr(1, close - 1));
    result.is_address = true;
    rest = text.substr(close + 1);
  } else {
    const auto colon = text.find(':');
    host = parse_name(text.substr(0, colon));
    rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    result.is_address = host && SocketAddress::numeric(*host, 0).has_value();
  }
  if (!host) return std::nullopt;
  result.host = std::move(*host);
  if (rest.empty() || rest == ":") return result;
  if (rest[0] != ':') return std::nullopt;
  rest.remove_prefix(1);
  const char* end = rest.data() + rest.size();
  const auto [stop, error] = std::from_chars(rest.data(), end, result.port);
  if (error != std::errc() || stop != end || result.port == 0) return std::nullopt;
  return result;
}

bool name_matches(std::string_view pattern, std::string_view host) {
  if (!pattern.starts_with("*.")) return pattern == host;
  const std::string_view suffix = pattern.substr(1);
  return host.size() > suffix.size() && host.ends_with(suffix);
}

}  // namespace wsproxy::access
