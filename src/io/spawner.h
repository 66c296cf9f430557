// Processes that are started while the daemon runs: a writer or look-up helper anew, the program behind --,
// a successor. A daemon in its sandbox may start none, and its limits would be theirs.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "io/passing.h"

namespace wsproxy::io {

/// At first it forks by itself. After start() it has a process do that, which was forked before there
/// were keys, sessions and limits; what is started is the daemon's own child all the same (CLONE_PARENT):
/// it is waited for, signalled and told of our end as any other.
///
/// What can be started is fixed before start(): an order names one of the jobs, and brings descriptors
/// and a text. So whoever takes the daemon over starts nothing but what it would have started.
class Spawner {
 public:
  /// What the new process finds. Other descriptors may be open: whoever minds closes them.
  struct Order {
    pid_t daemon;               ///< its parent
    std::vector<UniqueFd> fds;  ///< its own copies of what was passed
    std::string text;
  };

  /// Runs in the new process, and does not come back.
  using Job = std::function<void(Order)>;

  /// No more than this many descriptors fit into an order.
  static constexpr std::size_t kMaxFds = kMaxPassed;

  Spawner() = default;
  ~Spawner();
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  /// Before start(). The number to call spawn() with.
  std::size_t add(Job job);

  /// Forks the process. `prepare` is called in it: the place to drop privileges. It keeps no descriptor
  /// of ours, and ends when we do. Errors: Io, or what `prepare` says.
  Status start(const std::function<Status()>& prepare);

  /// Starts `job`; takes as long as a fork. The new process is our child. Errors: Io.
  Result<pid_t> spawn(std::size_t job, std::span<const int> fds, std::string_view text = {}) const;

  /// -1 before start().
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  [[nodiscard]] Result<pid_t> order(std::size_t job, std::span<const int> fds,
                                    std::string_view text) const;
  [[noreturn]] void serve(int channel, pid_t daemon) const;

  std::vector<Job> jobs_;
  UniqueFd channel_;
  pid_t pid_ = -1;
  mutable std::size_t late_ = 0;  // answers that nobody waited for to the end
};

}  // namespace wsproxy::io
