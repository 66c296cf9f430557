#include "server/listeners.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "config/listen_address.h"
#include "server/version.h"

namespace wsproxy::server {
namespace {

std::string url_of(const SocketAddress& address, bool tls) {
  const std::string host = address.is_wildcard() ? "localhost" : address.host();
  return std::string(tls ? "https://" : "http://") + host + ":" + std::to_string(address.port()) +
         "/";
}

}  // namespace

Listeners::Listeners(io::EventLoop& loop, io::Listener::OnAccept on_accept)
    : loop_(loop), on_accept_(std::move(on_accept)) {}

Status Listeners::open(const config::Config& config, std::vector<daemon::PassedSocket> passed,
                       daemon::Predecessor& predecessor) {
  const std::size_t all = passed.size();
  for (const std::string& where : config.listen) {
    if (listen_on_inherited(where, predecessor)) continue;
    if (const Status status = listen_on(where, config, passed); !status) return status;
  }
  // that none is used was said with the configuration's own warnings
  if (!passed.empty() && passed.size() < all) {
    log::warning("%zu socket%s of the service manager not used: no address to listen on names %s",
                 passed.size(), passed.size() == 1 ? "" : "s", passed.size() == 1 ? "it" : "them");
  }
  return {};
}

Status Listeners::listen_on(const std::string& where, const config::Config& config,
                            std::vector<daemon::PassedSocket>& passed) {
  const auto address = config::parse_listen_address(where);
  if (!address) return std::unexpected(address.error());
  switch (address->kind) {
    case config::ListenAddress::Kind::Tcp: {
      auto sockets =
          io::listen_on(address->tcp, config.reuse_port ? io::Sharing::Shared : io::Sharing::Alone);
      if (!sockets) return std::unexpected(sockets.error());
      for (UniqueFd& socket : *sockets) add(std::move(socket), where);
      return {};
    }
    case config::ListenAddress::Kind::Unix: {
      auto listener = io::listen_on_unix(address->path, config.unix_listen_mode.bits);
      if (!listener) return std::unexpected(listener.error());
      add(std::move(listener->socket), where, std::move(listener->file));
      return {};
    }
    case config::ListenAddress::Kind::Descriptor: {
      // one of the service manager's has its owner, who would close it
      const auto same = [&](const daemon::PassedSocket& socket) {
        return socket.fd.get() == address->fd;
      };
      if (const auto found = std::ranges::find_if(passed, same); found != passed.end()) {
        add(std::move(found->fd), where);
        passed.erase(found);
        return {};
      }
      auto socket = io::adopt_listener(address->fd);
      if (!socket) return std::unexpected(socket.error());
      add(std::move(*socket), where);
      return {};
    }
    case config::ListenAddress::Kind::Systemd:
      if (passed.empty()) {
        return fail(Errc::NotFound, "--listen systemd: the service manager has passed no sockets");
      }
      for (daemon::PassedSocket& socket : passed) {
        add(std::move(socket.fd), where, {}, socket.name);
      }
      passed.clear();
      return {};
  }
  return {};
}

// A predecessor's, and the file of a Unix socket with it: its name is ours to remove from now on.
bool Listeners::listen_on_inherited(const std::string& where, daemon::Predecessor& predecessor) {
  bool found = false;
  for (daemon::InheritedSocket& socket : predecessor.sockets()) {
    if (!socket.fd || socket.listen != where) continue;
    io::SocketFile file;
    const auto address = config::parse_listen_address(where);
    if (address && address->kind == config::ListenAddress::Kind::Unix) {
      auto owned = io::SocketFile::own(address->path);
      if (owned) {
        file = std::move(*owned);
      } else {
        log::warning("%s", owned.error().message().c_str());
      }
    }
    add(std::move(socket.fd), where, std::move(file));
    found = true;
  }
  return found;
}

void Listeners::add(UniqueFd socket, const std::string& where, io::SocketFile file,
                    const std::string& name) {
  handed_.push_back({.fd = socket.get(), .listen = where, .name = name});
  listeners_.push_back(std::make_unique<io::Listener>(
      loop_, std::move(socket),
      [this](UniqueFd fd, const SocketAddress& peer) { on_accept_(std::move(fd), peer); },
      std::move(file)));
}

void Listeners::configure(const config::Config& config) {
  for (const auto& listener : listeners_) listener->set_user_timeout(config.tcp_user_timeout);
}

void Listeners::start() {
  for (const auto& listener : listeners_) listener->start();
}

void Listeners::stop() {
  for (const auto& listener : listeners_) listener->stop();
}

void Listeners::leave() {
  for (const auto& listener : listeners_) listener->leave();
}

std::string Listeners::ready_text(const std::string& target, bool tls) const {
  std::string text;
  for (const auto& listener : listeners_) {
    const SocketAddress address = listener->address();
    text += std::string("wsproxy ") + kVersion + " ready: " + address.to_string() + " -> " +
            target + "\n";
    if (address.family() == AF_UNIX) continue;  // no browser gets there by itself
    text += "open " + url_of(address, tls) + "\n";
  }
  return text;
}

std::uint16_t Listeners::first_port() const {
  for (const auto& listener : listeners_) {
    if (const std::uint16_t port = listener->address().port(); port != 0) return port;
  }
  return 0;
}

}  // namespace wsproxy::server
