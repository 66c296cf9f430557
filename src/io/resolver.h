// Name look-ups that never block the loop: getaddrinfo in a helper process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/error.h"
#include "io/event_loop.h"
#include "io/spawner.h"

namespace wsproxy::io {

class Resolver;

/// One look-up under way. Its destructor cancels it.
class Lookup {
 public:
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  [[nodiscard]] bool pending() const { return pending_; }

  /// The addresses in the order in which to try them, without a port, at least one.
  /// Errors: NotFound (no such name), TimedOut, Io (the helper failed).
  Result<std::vector<SocketAddress>> take() { return std::move(result_); }

 private:
  friend class Resolver;
  Lookup(Resolver& resolver, std::uint32_t id, std::string_view host,
         std::move_only_function<void()> wake);
  void finish(Result<std::vector<SocketAddress>> result);

  Resolver& resolver_;
  std::uint32_t id_;
  std::string host_;
  bool pending_ = true;
  bool sent_ = false;  // to the helper; until then it waits for its turn
  Result<std::vector<SocketAddress>> result_;
  std::move_only_function<void()> wake_;
  Timer timeout_;
};

/// Owns the helper: a process forked early, which forks a child for every look-up. So one slow name
/// holds up no other, and a look-up that nobody waits for any more can be killed. It ends when our
/// end of its SOCK_SEQPACKET pair closes, and is started again, by the spawner, should it die: at once, but
/// once a second if it goes on dying.
class Resolver {
 public:
  /// Forks the helper: call before there are listeners, keys or sessions, and before a chroot, for
  /// the user database and the resolver's files are outside. `prepare` is called in the helper
  /// before it serves: the place to drop privileges there. Should it fail, the helper ends.
  explicit Resolver(EventLoop& loop, std::function<Status()> prepare = {},
                    std::shared_ptr<Spawner> spawner = std::make_shared<Spawner>());
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Looks `host` up, for at most `limit`; at most 32 at once, the others wait their turn. `wake`
  /// is called from the loop once it is not pending any more, never from within this call. Numeric
  /// addresses need no look-up: see SocketAddress.
  std::unique_ptr<Lookup> lookup(std::string_view host, Duration limit,
                                 std::move_only_function<void()> wake);

  [[nodiscard]] pid_t helper_pid() const { return helper_; }

 private:
  friend class Lookup;
  void start_helper();
  void stop_helper();
  void restart_helper();
  void start_again();
  void send_waiting();
  void read_reply();
  void remove(Lookup& lookup);

  EventLoop& loop_;
  std::shared_ptr<Spawner> spawner_;
  std::size_t job_;
  UniqueFd socket_;
  std::unique_ptr<Watch> watch_;
  pid_t helper_ = -1;
  std::optional<SteadyTime> restarted_;
  Timer restart_;
  std::uint32_t next_id_ = 0;
  std::map<std::uint32_t, Lookup*> pending_;  // by age
  std::size_t sent_ = 0;                      // of those: with the helper now
};

}  // namespace wsproxy::io
