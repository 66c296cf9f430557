// The daemon in the foreground: listeners, sessions, and the signals that end it.
#pragma once

#include <memory>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "io/event_loop.h"
#include "io/listener.h"
#include "io/resolver.h"
#include "io/signals.h"
#include "session/session_table.h"

namespace wsproxy::server {

class Server {
 public:
  /// Prepares everything that can fail: certificate, web directory, target, then the listeners.
  /// Errors name the file or address. Nothing listens after a failure.
  static Result<std::unique_ptr<Server>> create(const config::Config& config);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// What to print once it listens: a ready line and a URL to open for each listener.
  [[nodiscard]] std::string ready_text() const;

  /// Serves until SIGTERM or SIGINT, then tells all sessions and returns within 2 s.
  void run();

 private:
  Server();
  Status prepare(const config::Config& config);
  void accept(UniqueFd fd);
  void on_signal(int signal);
  void stop();
  void stop_now();

  static constexpr std::size_t kBlockBytes = std::size_t{64} * 1024;

  SystemClock clock_;
  io::EventLoop loop_;
  io::Signals signals_;
  io::Resolver resolver_;
  io::SocketDialer dialer_;
  BufferPool pool_;
  std::unique_ptr<std::byte[]> scratch_;
  std::shared_ptr<const session::Settings> settings_;
  session::SessionTable sessions_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  io::Timer stop_limit_;
  bool stopping_ = false;
};

/// The whole program but for main(): returns the exit status.
int run_program(int argc, const char* const* argv);

}  // namespace wsproxy::server
