// Answers from a directory of the operator's (--web DIR).
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/unique_fd.h"
#include "web/reply.h"

namespace wsproxy::web {

/// Serves the regular files below a directory, and nothing outside it: the kernel resolves every
/// path beneath the directory's descriptor (openat2, RESOLVE_BENEATH), symbolic links included. No
/// listings, no redirects; names that begin with a dot are hidden, but for ".well-known".
class StaticDir {
 public:
  /// Errors: Io, naming the directory.
  static Result<StaticDir> open(const std::string& path);

  /// Answers a GET or HEAD: 200, 206, 304, 400, 403, 404, 416 or 503. "/" is index.html or, where
  /// there is none, vnc.html. "NAME.gz" stands in for NAME when gzip is accepted and no range is
  /// asked for.
  [[nodiscard]] Reply answer(const Asked& asked) const;

 private:
  explicit StaticDir(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace wsproxy::web
