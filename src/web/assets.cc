#include "web/assets.h"

#include <algorithm>
#include <array>

// page_assets.S, written by scripts/bundle-page.mjs, holds the bytes; page_assets.inc lists them.
#define WSPROXY_ASSET(path, type, symbol, etag)                   \
  extern "C" const std::byte wsproxy_asset_##symbol##_begin[];    \
  extern "C" const std::byte wsproxy_asset_##symbol##_end[];      \
  extern "C" const std::byte wsproxy_asset_##symbol##_gz_begin[]; \
  extern "C" const std::byte wsproxy_asset_##symbol##_gz_end[];
#include "page_assets.inc"
#undef WSPROXY_ASSET

namespace wsproxy::web {
namespace {

#define WSPROXY_ASSET(path, type, symbol, etag)                                                \
  Asset{path, type, etag, Bytes(wsproxy_asset_##symbol##_begin, wsproxy_asset_##symbol##_end), \
        Bytes(wsproxy_asset_##symbol##_gz_begin, wsproxy_asset_##symbol##_gz_end)},
const std::array kAssets = {
#include "page_assets.inc"
};
#undef WSPROXY_ASSET

}  // namespace

const Asset* find_asset(std::string_view path) {
  if (path == "/" || path == "/index.html") path = "/vnc.html";
  const auto* found = std::ranges::find(kAssets, path, &Asset::path);
  return found == kAssets.end() ? nullptr : found;
}

}  // namespace wsproxy::web
