// `-- CMD`: a program that wsproxy starts, made to listen behind it, and ends.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "io/dial.h"
#include "io/event_loop.h"
#include "io/spawner.h"

namespace wsproxy::daemon {

/// What follows when the program ends of itself.
enum class WrapMode : std::uint8_t {
  Exit,    ///< on_end: the daemon is to end as well, with the program's status
  Ignore,  ///< on_end: the daemon goes on (a program that became a daemon may still serve)
  Respawn  ///< it is started again
};

struct WrapOptions {
  std::vector<std::string> argv;  ///< argv[0] is looked for in PATH; not empty
  WrapMode mode = WrapMode::Exit;
  std::string rebind;             ///< path of rebind.so, see find_rebind()
  std::uint64_t descriptors = 0;  ///< soft limit of open files in the program; 0: as in the daemon
};

/// Runs the program in a process group of its own, with LD_PRELOAD=rebind.so: when it binds a TCP
/// socket to the old port, that socket goes to the loopback interface at target()'s port.
///
/// The program finds descriptors 0 to 2 as they are (0 is /dev/null where it was a listening socket),
/// no others; signals unblocked and at their defaults; the environment unchanged but for LD_PRELOAD
/// (rebind.so is appended), REBIND_OLD_PORT, REBIND_NEW_PORT, and without NOTIFY_SOCKET, WATCHDOG_*
/// and LISTEN_*, which speak to wsproxy. When the daemon dies, however, the program gets SIGTERM.
///
/// Respawn: a program that ran for 10 s or longer is started again after 0.25 s, any other after a
/// pause that doubles from there to 10 s.
class WrappedProgram {
 public:
  /// `on_end` is called from the loop with the program's exit status (128 + the signal that killed
  /// it), once it has ended of itself and will not be started again. Not after stop(). `spawner`, which is
  /// not started yet, is going to start it.
  WrappedProgram(io::EventLoop& loop, WrapOptions options,
                 std::move_only_function<void(int)> on_end,
                 std::shared_ptr<io::Spawner> spawner = std::make_shared<io::Spawner>());
  /// Kills what still runs of its process group. Does not wait for more than a kill takes.
  ~WrappedProgram();
  WrappedProgram(const WrappedProgram&) = delete;
  WrappedProgram& operator=(const WrappedProgram&) = delete;

  /// Picks the port and starts the program, which means to listen on `old_port` as wsproxy does. To be
  /// called after privileges were dropped.
  /// Errors: "cannot run CMD: no such file or directory", no free port, a path of rebind.so that
  /// LD_PRELOAD cannot hold.
  Status start(std::uint16_t old_port);

  /// Ends it: SIGTERM to its process group, SIGKILL after `grace`. `on_gone` is called from the loop,
  /// never from within this call, when no process of the group is left or after the SIGKILL.
  void stop(Duration grace, std::move_only_function<void()> on_gone);

  /// Where it listens: 127.0.0.1 and a port that stays the same. Valid after start().
  [[nodiscard]] const io::Endpoint& target() const { return target_; }

  [[nodiscard]] bool running() const { return state_ == State::Running; }
  [[nodiscard]] pid_t pid() const { return pid_; }

  /// True while it may not listen yet: within 10 s of its start, and until it is started again.
  [[nodiscard]] bool starting() const;

 private:
  enum class State : std::uint8_t { Idle, Running, Pausing, Ended, Stopping, Gone };

  Status reserve_port();
  Status spawn();
  Status exec_outcome();
  void on_exit();
  void drop_watch();
  void pause_or_restart();
  void restart();
  void look_for_the_rest();
  void kill_group(int signal) const;
  void reap();

  io::EventLoop& loop_;
  WrapOptions options_;
  std::shared_ptr<io::Spawner> spawner_;
  std::size_t job_;
  std::uint16_t old_port_ = 0;
  std::move_only_function<void(int)> on_end_;
  std::move_only_function<void()> on_gone_;
  io::Endpoint target_;
  UniqueFd held_v4_, held_v6_;  // the port, bound and never listening
  State state_ = State::Idle;
  pid_t pid_ = -1;      // of the program, and of its process group
  bool reaped_ = true;  // until then the kernel gives pid_ to nobody else
  UniqueFd pidfd_;
  UniqueFd exec_errors_;
  std::unique_ptr<io::Watch> watch_;
  SteadyTime started_;
  SteadyTime logged_;
  Duration pause_{};
  SteadyTime kill_at_;
  io::Timer timer_;
};

/// rebind.so beside the running binary (a build tree) or in ../lib/wsproxy from there (installed).
/// Errors: NotFound, with the places it was looked for in.
Result<std::string> find_rebind();
/// The same for a binary in `folder`.
Result<std::string> find_rebind(const std::string& folder);

}  // namespace wsproxy::daemon
