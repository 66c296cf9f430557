// The files of the built-in page, compiled into the binary.
#pragma once

#include <string_view>

#include "base/bytes.h"

namespace wsproxy::web {

struct Asset {
  std::string_view path;  ///< "/app.js"
  std::string_view content_type;
  std::string_view etag;  ///< of the plain bytes, with its quotes
  Bytes plain;
  Bytes gzip;
};

/// The asset at `path`, or null. "/" and "/index.html" are "/vnc.html".
const Asset* find_asset(std::string_view path);

}  // namespace wsproxy::web
