// What each of our processes may still do once it is set up, worked out from the configuration.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "daemon/sandbox.h"
#include "io/dial.h"

namespace wsproxy::server {

class Sandbox {
 public:
  using Prepare = std::function<Status()>;

  /// `drop_privileges` is what every helper does first. Paths in `config` that are relative count from
  /// where we are now.
  Sandbox(const config::Config& config, Prepare drop_privileges);

  /// Whether there is going to be one: it is wanted, and this is no build with a sanitizer.
  [[nodiscard]] bool is_on() const { return on_; }

  /// For each helper process, what to call in it before it serves.
  [[nodiscard]] Prepare for_look_ups() const;
  [[nodiscard]] Prepare for_logs() const;
  [[nodiscard]] Prepare for_recordings() const;
  /// The process that starts the others. One that `runs_programs` has no limits, for the program behind --
  /// and a successor would have them too.
  [[nodiscard]] Prepare for_starter(bool runs_programs) const;

  /// The daemon's own, step by step: notes what it removes at its end, as long as that can be found...
  void before_chroot();
  /// ...and enters. Says in the log what holds, or why nothing does.
  void enter(const io::Endpoint& target);

  /// For a new configuration: whether the directory that it names can be read from at all; files, see
  /// FileReader. Errors name option and directory.
  [[nodiscard]] Status reaches(const config::Config& next) const;

 private:
  [[nodiscard]] Prepare confined(daemon::Role role,
                                 std::function<void(daemon::FileRules&)> rules) const;
  void allow_reading(daemon::FileRules& rules) const;

  config::Config config_;
  Prepare drop_privileges_;
  bool on_;
  daemon::Denied denied_;
  std::vector<std::string> log_directories_, record_directories_, remove_in_;
  std::optional<daemon::FileRules> rules_;
  bool entered_ = false;
};

}  // namespace wsproxy::server
