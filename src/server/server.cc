#include "server/server.h"

#include <csignal>
#include <utility>

#include "access/target.h"
#include "base/log.h"
#include "config/listen_address.h"
#include "io/plain_stream.h"
#include "server/version.h"
#include "web/page.h"

namespace wsproxy::server {
namespace {

// SIGTERM promises the end within 2 s: clients have this long to answer our Close.
constexpr auto kStopLimit = std::chrono::milliseconds(1000);

std::string url_of(const SocketAddress& address, bool tls) {
  const std::string host = address.is_wildcard() ? "localhost" : address.host();
  return std::string(tls ? "https://" : "http://") + host + ":" + std::to_string(address.port()) +
         "/";
}

Result<std::shared_ptr<const session::Settings>> make_settings(const config::Config& config) {
  auto settings = std::make_shared<session::Settings>();
  settings->config = config;
  auto target = access::parse_target(config.target);
  if (!target) return std::unexpected(target.error());
  settings->target = std::move(*target);
  if (!config.cert.empty()) {
    auto tls = tls::TlsContext::load({.cert = config.cert, .key = config.key});
    if (!tls) return std::unexpected(tls.error());
    for (const std::string& text : (*tls)->warnings()) log::warning("%s", text.c_str());
    settings->tls = std::move(*tls);
  }
  if (!web::is_source_list(config.frame_ancestors)) {
    return fail(Errc::Usage,
                "--frame-ancestors: '" + config.frame_ancestors + "' is no list of sources");
  }
  if (!config.web.empty()) {
    auto web = web::StaticDir::open(config.web);
    if (!web) return std::unexpected(web.error());
    settings->web = std::move(*web);
  }
  return settings;
}

}  // namespace

Server::Server()
    : loop_(clock_),
      signals_(loop_, {SIGTERM, SIGINT}, [this](int signal) { on_signal(signal); }),
      resolver_(loop_),
      dialer_(loop_, resolver_),
      pool_(kBlockBytes),
      scratch_(std::make_unique_for_overwrite<std::byte[]>(kBlockBytes)),
      sessions_({loop_, dialer_, pool_, MutableBytes(scratch_.get(), kBlockBytes)},
                [this] {
                  if (stopping_) loop_.stop();
                }),
      stop_limit_(loop_.timers(), [this] { stop_now(); }) {}

Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::create(const config::Config& config) {
  std::unique_ptr<Server> server(new Server());
  if (const Status status = server->prepare(config); !status)
    return std::unexpected(status.error());
  return server;
}

Status Server::prepare(const config::Config& config) {
  auto settings = make_settings(config);
  if (!settings) return std::unexpected(settings.error());
  settings_ = std::move(*settings);
  for (const std::string& text : config.listen) {
    const auto address = config::parse_listen_address(text);
    if (!address) return std::unexpected(address.error());
    if (address->kind != config::ListenAddress::Kind::Tcp)
      return fail(Errc::Invalid, "listening on '" + text + "' is not there yet");
    auto sockets = io::listen_on(address->tcp);
    if (!sockets) return std::unexpected(sockets.error());
    for (UniqueFd& socket : *sockets) {
      listeners_.push_back(std::make_unique<io::Listener>(
          loop_, std::move(socket), [this](UniqueFd fd) { accept(std::move(fd)); }));
    }
  }
  return {};
}

std::string Server::ready_text() const {
  std::string text;
  for (const auto& listener : listeners_) {
    const SocketAddress address = listener->address();
    text += std::string("wsproxy ") + kVersion + " ready: " + address.to_string() + " -> " +
            settings_->target.to_string() + "\nopen " + url_of(address, settings_->tls != nullptr) +
            "\n";
  }
  return text;
}

void Server::run() {
  for (const auto& listener : listeners_) listener->start();
  loop_.run();
}

void Server::accept(UniqueFd fd) {
  io::tune_tcp(fd.get());
  std::string peer = peer_address(fd.get()).to_string();
  sessions_.begin(std::make_unique<io::PlainStream>(std::move(fd)), std::move(peer), settings_);
}

void Server::on_signal(int signal) {
  log::info("%s: stopping, %zu sessions", signal == SIGTERM ? "SIGTERM" : "SIGINT",
            sessions_.size());
  if (std::exchange(stopping_, true)) return stop_now();  // asked twice
  stop();
}

void Server::stop() {
  for (const auto& listener : listeners_) listener->stop();
  if (sessions_.size() == 0) return loop_.stop();
  stop_limit_.arm(kStopLimit);
  sessions_.shut_down();
}

void Server::stop_now() {
  sessions_.cut();
  loop_.stop();
}

}  // namespace wsproxy::server
