#include "access/host_names.h"

#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace wsproxy::access {
namespace {

std::vector<std::string> words_of(std::string_view line) {
  std::istringstream in{std::string(line.substr(0, line.find('#')))};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::string without_brackets(std::string_view host) {
  return std::string(host.starts_with('[') ? host.substr(1, host.size() - 2) : host);
}

}  // namespace

Result<HostNames> HostNames::make(const std::vector<std::string>& given,
                                  const std::vector<std::string>& own) {
  HostNames names;
  for (const std::string& text : given) {
    if (text == "*") {
      names.all_ = true;
      continue;
    }
    const bool pattern = text.starts_with("*.");
    const bool bare_v6 = SocketAddress::numeric(text, 0) && text.find(':') != std::string::npos;
    const auto host = parse_authority(pattern ? text.substr(2) : bare_v6 ? "[" + text + "]" : text);
    if (!host || host->port != 0 || (pattern && host->is_address)) {
      return fail(Errc::Invalid, "'" + text + "' is not a host name, *.DOMAIN, an address or *");
    }
    names.names_.push_back((pattern ? "*." : "") + host->host);
  }
  for (const std::string& text : own) {
    const auto host = parse_authority(text.starts_with("*.") ? text.substr(2) : text);
    if (!host || host->port != 0) continue;
    names.names_.push_back((text.starts_with("*.") ? "*." : "") + host->host);
  }
  return names;
}

bool HostNames::includes(const Authority& host, const SocketAddress& local) const {
  if (all_ || local.family() == AF_UNIX) return true;
  if (host.host == "localhost" || host.host.ends_with(".localhost")) return true;
  if (host.is_address && host.host == without_brackets(local.host())) return true;
  return std::ranges::any_of(
      names_, [&](const std::string& name) { return name_matches(name, host.host); });
}

std::vector<std::string> names_of_machine(std::string_view hostname, std::string_view hosts) {
  std::vector<std::string> names;
  if (hostname.empty()) return names;
  const std::string full(hostname);
  const std::string first = full.substr(0, full.find('.'));
  names = {full, first, first + ".local"};
  std::istringstream lines{std::string(hosts)};
  for (std::string line; std::getline(lines, line);) {
    const auto words = words_of(line);
    if (std::ranges::find(words, full) == words.end()) continue;
    names.insert(names.end(), words.begin() + 1, words.end());
  }
  return names;
}

std::vector<std::string> names_of_this_machine() {
  utsname system{};
  if (::uname(&system) != 0) return {};
  // as it was last seen: in a sandbox, one that replaces it is out of reach
  static std::string hosts;
  if (std::ifstream file("/etc/hosts"); file) {
    std::ostringstream text;
    text << file.rdbuf();
    hosts = text.str();
  }
  return names_of_machine(static_cast<const char*>(system.nodename), hosts);
}

}  // namespace wsproxy::access
