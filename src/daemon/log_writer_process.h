// The process behind FileOutput.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "daemon/log_writer.h"

namespace wsproxy::daemon {

/// A line that has the writer open its file again; no line of a log has a control byte.
constexpr std::string_view kReopenLine = "\x01\n";

/// What the writer tells first when all is well.
constexpr std::string_view kReady = "ready\n";

struct WriterEnds {
  UniqueFd lines;   ///< to read from
  UniqueFd status;  ///< to write to: a line for each thing to tell
  UniqueFd file;    ///< may be empty: the writer opens it
};

/// The writer's life, in the child: until `lines` ends. `first` as long as the daemon waits for kReady.
[[noreturn]] void run_log_writer(WriterEnds ends, const WriterOptions& options, bool first);

/// Opens the file of `options` by its path. Errors: Io or Invalid, naming option and file.
Result<UniqueFd> open_first(const WriterOptions& options);

}  // namespace wsproxy::daemon
