// Lines into a file, through a process of their own: writing to a file can block for as long as its disk or
// file server likes, and no flag prevents it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "io/spawner.h"

namespace wsproxy::daemon {

/// Whom a log file that did not exist before belongs to: the user that the daemon is going to be.
struct FileOwner {
  uid_t user;
  gid_t group;
};

struct WriterOptions {
  std::string path;
  std::string option;  ///< that named it; begins every message ("--log-file")
  std::optional<FileOwner> owner;

  /// Called in the writer before its first line; an error ends it and is start()'s.
  std::function<Status()> after_fork;

  /// The line that tells in the file itself that `lost` lines are missing, and why (errno); may be empty,
  /// when only take_trouble() shall tell.
  std::function<std::string(std::uint64_t lost, int sys)> gap_line;
};

/// The daemon's end of the pipe to a writer process.
///
/// The file is opened for appending, mode 0640. Refused are symbolic links, files with more than one name,
/// and whatever is no regular file but /dev/stdout, /dev/stderr and /dev/null.
///
/// The writer has no descriptors but its own, ignores the signals that end the daemon, and ends when the
/// daemon has ended, however that came about, and all it was given is written. When the disk is full it drops
/// lines, and says how many once there is room. A writer that was killed is replaced, at most every 10 s.
class FileOutput final : public log::Output {
 public:
  /// Opens the file and starts its writer. May block. Errors: Io or Invalid, naming option and file.
  /// `spawner` replaces a writer that was killed.
  static Result<std::unique_ptr<FileOutput>> start(
      WriterOptions options, const Clock& clock,
      std::shared_ptr<io::Spawner> spawner = std::make_shared<io::Spawner>());

  /// Waits up to 500 ms for the writer to bring its lines out.
  ~FileOutput() override;
  FileOutput(const FileOutput&) = delete;
  FileOutput& operator=(const FileOutput&) = delete;

  bool write(std::string_view line) override;

  /// Lines from now on go to the file that has the name then. When it cannot be opened, they go on to the
  /// old one, and take_trouble() says so.
  void reopen() override;
  [[nodiscard]] std::string_view loss() const override { return "its disk is too slow"; }
  std::string take_trouble() override;

  [[nodiscard]] pid_t writer() const { return pid_; }

 private:
  FileOutput(WriterOptions options, const Clock& clock, std::shared_ptr<io::Spawner> spawner);
  Status fork_writer(UniqueFd file);
  bool send(std::string_view line);
  void replace();

  WriterOptions options_;
  const Clock& clock_;
  std::shared_ptr<io::Spawner> spawner_;
  std::size_t job_;
  UniqueFd lines_;   // to the writer; does not block
  UniqueFd status_;  // what the writer has to tell
  pid_t pid_ = -1;
  SteadyTime started_;
  bool reopen_due_ = false;  // the pipe had no room for it
};

/// Opens `name` in `directory` as FileOutput does. Errors: Io or Invalid, without the file's name.
Result<UniqueFd> open_log_file(int directory, const std::string& name,
                               const std::optional<FileOwner>& owner);

}  // namespace wsproxy::daemon
