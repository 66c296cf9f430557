// Where the daemon listens: sockets of its own, of the service manager and of a predecessor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "daemon/successor.h"
#include "daemon/systemd.h"
#include "io/listener.h"

namespace wsproxy::server {

class Listeners {
 public:
  Listeners(io::EventLoop& loop, io::Listener::OnAccept on_accept);

  /// Opens every address of `config.listen`, or finds its socket among those that we were started with;
  /// what is left of `passed` is closed. Nothing is accepted before start().
  /// Errors name the address.
  Status open(const config::Config& config, std::vector<daemon::PassedSocket> passed,
              daemon::Predecessor& predecessor);

  /// What a reload may change of the connections that come from now on.
  void configure(const config::Config& config);

  void start();
  void stop();
  /// Like stop(), but somebody else goes on with the sockets: their files stay.
  void leave();

  /// What to print once they listen: a ready line and a URL to open for each.
  [[nodiscard]] std::string ready_text(const std::string& target, bool tls) const;

  /// Port of the first one on TCP, 0 if there is none.
  [[nodiscard]] std::uint16_t first_port() const;

  /// What a successor gets.
  [[nodiscard]] const std::vector<daemon::SocketToHand>& handed() const { return handed_; }

 private:
  Status listen_on(const std::string& where, const config::Config& config,
                   std::vector<daemon::PassedSocket>& passed);
  bool listen_on_inherited(const std::string& where, daemon::Predecessor& predecessor);
  void add(UniqueFd socket, const std::string& where, io::SocketFile file = {},
           const std::string& name = {});

  io::EventLoop& loop_;
  io::Listener::OnAccept on_accept_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::vector<daemon::SocketToHand> handed_;  // one for each listener
};

}  // namespace wsproxy::server
