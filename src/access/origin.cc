#include "access/origin.h"

#include <algorithm>

namespace wsproxy::access {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

std::uint16_t default_port(std::string_view scheme) {
  if (scheme == "http") return kHttpPort;
  return scheme == "https" ? kHttpsPort : 0;
}

// RFC 3986 section 3.1, in lower case; nothing if it is no scheme.
std::optional<std::string> parse_scheme(std::string_view text) {
  std::string scheme;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    const bool letter = c >= 'a' && c <= 'z';
    const bool later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    if (!letter && (scheme.empty() || !later)) return std::nullopt;
    scheme += c;
  }
  if (scheme.empty()) return std::nullopt;
  return scheme;
}

std::optional<Origin> parse_listed(std::string_view text) {
  const auto host = text.find("://*.");
  if (host == std::string_view::npos) return parse_origin(text);
  auto origin =
      parse_origin(std::string(text.substr(0, host + 3)) + std::string(text.substr(host + 5)));
  if (!origin || origin->where.is_address) return std::nullopt;
  origin->where.host = "*." + origin->where.host;
  return origin;
}

}  // namespace

std::optional<Origin> parse_origin(std::string_view text) {
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  auto scheme = parse_scheme(text.substr(0, colon));
  auto where = parse_authority(text.substr(colon + 3));
  if (!scheme || !where) return std::nullopt;
  if (where->port == 0) where->port = default_port(*scheme);
  return Origin{std::move(*scheme), std::move(*where)};
}

Result<OriginRules> OriginRules::parse(const std::vector<std::string>& listed) {
  OriginRules rules;
  for (const std::string& text : listed) {
    if (text == "*") {
      rules.all_ = true;
    } else if (text == "null") {
      rules.null_ = true;
    } else if (auto origin = parse_listed(text)) {
      rules.listed_.push_back(std::move(*origin));
    } else {
      return fail(Errc::Invalid, "'" + text + "' is not SCHEME://HOST[:PORT], null or *");
    }
  }
  return rules;
}

bool OriginRules::allows(std::string_view origin, const std::optional<Authority>& host,
                         bool secure) const {
  if (all_) return true;
  if (origin == "null") return null_;
  const auto page = parse_origin(origin);
  if (!page) return false;
  const bool is_listed = std::ranges::any_of(listed_, [&](const Origin& rule) {
    return rule.scheme == page->scheme && rule.where.port == page->where.port &&
           name_matches(rule.where.host, page->where.host);
  });
  if (is_listed) return true;
  if (!host || page->where.host != host->host) return false;
  if (page->scheme != "https" && (secure || page->scheme != "http")) return false;
  return page->where.port == (host->port != 0 ? host->port : default_port(page->scheme));
}

}  // namespace wsproxy::access
