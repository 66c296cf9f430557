// web/file_path: whatever is asked for, the path stays inside the directory and shows no hidden
// name.
#include <algorithm>
#include <string>

#include "base/check.h"
#include "fuzz/fuzz_input.h"
#include "web/file_path.h"

using namespace wsproxy;

namespace {

// Every byte but the slashes as %HH.
std::string encoded(std::string_view path) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out = "/";
  for (const char c : path) {
    if (c == '/') {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view request = fuzz::Input(data, size).text();
  const auto path = web::file_path(request);
  CHECK(!web::content_type(request).empty());
  if (!path) return 0;
  CHECK(request.starts_with('/'));
  CHECK(path->size() < request.size());
  CHECK(!path->starts_with('/'));
  for (const char c : *path) {
    CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '\\');
  }
  const auto segments = fuzz::split(*path, '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    CHECK(segments[i] != ".." && segments[i] != ".");
    CHECK(!segments[i].starts_with('.') || segments[i] == ".well-known");
    CHECK(!segments[i].empty() || i + 1 == segments.size());
  }
  CHECK(std::ranges::count(*path, '/') == std::ranges::count(request, '/') - 1);
  CHECK(web::file_path(encoded(*path)) == path);
  return 0;
}
