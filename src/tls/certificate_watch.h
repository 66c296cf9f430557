// Notices a renewed certificate without being told.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "tls/tls_context.h"

namespace wsproxy::tls {

/// Looks at the files when it is asked, at most once a second, and never between: an idle daemon stays
/// asleep. Symbolic links are followed, so a link that points elsewhere now is a change.
class CertificateWatch {
 public:
  using Load = std::move_only_function<Result<std::shared_ptr<const TlsContext>>()>;

  /// To be made before the files are loaded for the first time, so that no change falls in between. `load`
  /// is called from renewed(); it needs `files`, but can do without `optional`, one of which that goes
  /// away is no change.
  CertificateWatch(const Clock& clock, std::vector<std::string> files,
                   std::vector<std::string> optional, Load load);

  /// For each new client. A context, if the files have changed and can be used: for sessions from now on.
  /// Null: go on with the one in use. That is so too while new files do not fit together, as when only one
  /// of them is written yet; this is logged once for each change and cause, and tried again every second.
  std::shared_ptr<const TlsContext> renewed();

 private:
  /// What stat() says of a file; all zero if it is not there.
  struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::vector<Stamp>;

  [[nodiscard]] Stamps look() const;

  const Clock& clock_;
  std::size_t needed_;  // of files_, the first ones
  std::vector<std::string> files_;
  Load load_;
  Stamps loaded_;          // of the files in use
  Stamps tried_;           // of those that could not be used
  std::string complaint_;  // about them
  SteadyTime next_look_;
};

}  // namespace wsproxy::tls
