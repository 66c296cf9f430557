// Files that a new configuration names and that the sandbox has no access to: another process reads them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "config/config.h"
#include "io/spawner.h"

namespace wsproxy::server {

/// A file of the configuration and the option that names it.
struct NamedFile {
  const char* option;
  std::string* path;
};

/// Everything that a start or a reload reads, but for `web`, a directory.
std::vector<NamedFile> files_of(config::Config& config);

/// A configuration to load files by: where the sandbox has no access, its paths lead to copies in memory.
struct ReadableConfig {
  config::Config config;
  std::vector<UniqueFd> copies;
  std::vector<std::pair<std::string, std::string>> names;  ///< of copies, and of what they are of

  /// With the names that the operator knows.
  [[nodiscard]] Error in_their_words(Error error) const;
};

/// Does it by a job of the spawner's, which reads the configuration by itself and then the files that it
/// names: nobody can have it read anything else.
class FileReader {
 public:
  using Read = std::function<Result<config::Config>()>;

  /// `reread` reads the configuration. Before the spawner is started.
  FileReader(Read reread, std::shared_ptr<io::Spawner> spawner);

  /// `config`, readable. Does nothing for files that can be opened, so nothing outside of a sandbox.
  /// Errors name the option and the file.
  Result<ReadableConfig> readable(const config::Config& config) const;

 private:
  Status fetch(ReadableConfig& readable) const;

  std::shared_ptr<io::Spawner> spawner_;
  std::size_t job_;
};

}  // namespace wsproxy::server
