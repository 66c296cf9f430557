#include "web/file_path.h"

#include <algorithm>
#include <array>
#include <utility>

#include "http/request.h"

namespace wsproxy::web {

std::string_view content_type(std::string_view name) {
  using Row = std::pair<std::string_view, std::string_view>;
  static constexpr std::array kTypes = {
      Row{"html", "text/html; charset=utf-8"},
      Row{"htm", "text/html; charset=utf-8"},
      Row{"js", "text/javascript; charset=utf-8"},
      Row{"mjs", "text/javascript; charset=utf-8"},
      Row{"css", "text/css; charset=utf-8"},
      Row{"json", "application/json"},
      Row{"map", "application/json"},
      Row{"webmanifest", "application/manifest+json"},
      Row{"wasm", "application/wasm"},
      Row{"txt", "text/plain; charset=utf-8"},
      Row{"md", "text/markdown; charset=utf-8"},
      Row{"xml", "text/xml; charset=utf-8"},
      Row{"csv", "text/csv; charset=utf-8"},
      Row{"pdf", "application/pdf"},
      Row{"svg", "image/svg+xml"},
      Row{"png", "image/png"},
      Row{"jpg", "image/jpeg"},
      Row{"jpeg", "image/jpeg"},
      Row{"gif", "image/gif"},
      Row{"webp", "image/webp"},
      Row{"avif", "image/avif"},
      Row{"ico", "image/x-icon"},
      Row{"woff", "font/woff"},
      Row{"woff2", "font/woff2"},
      Row{"ttf", "font/ttf"},
      Row{"otf", "font/otf"},
      Row{"mp3", "audio/mpeg"},
      Row{"oga", "audio/ogg"},
      Row{"ogg", "audio/ogg"},
      Row{"wav", "audio/wav"},
      Row{"mp4", "video/mp4"},
      Row{"webm", "video/webm"},
      Row{"gz", "application/gzip"},
      Row{"zip", "application/zip"},
  };
  const auto dot = name.rfind('.');
  const std::string_view ending = dot == std::string_view::npos ? "" : name.substr(dot + 1);
  const auto* found = std::ranges::find_if(
      kTypes, [&](const Row& row) { return http::equals_ignoring_case(row.first, ending); });
  return found == kTypes.end() ? "application/octet-stream" : found->second;
}

std::optional<std::string> file_path(std::string_view request_path) {
  if (!request_path.starts_with('/')) return std::nullopt;
  request_path.remove_prefix(1);
  std::string path;
  while (true) {
    const auto slash = request_path.find('/');
    const auto name = http::percent_decode(request_path.substr(0, slash));
    if (!name || (name->starts_with('.') && *name != ".well-known")) return std::nullopt;
    const bool plain = std::ranges::none_of(*name, [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '/' || c == '\\';
    });
    const bool last = slash == std::string_view::npos;
    if (!plain || (name->empty() && !last)) return std::nullopt;
    path += *name;
    if (last) return path;
    path += '/';
    request_path.remove_prefix(slash + 1);
  }
}

}  // namespace wsproxy::web
