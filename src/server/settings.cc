#include "server/settings.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <utility>
#include <vector>

#include "access/target.h"
#include "base/log.h"
#include "config/listen_address.h"
#include "config/options.h"
#include "io/listener.h"
#include "web/page.h"

namespace wsproxy::server {
namespace {

// What an address may have on the internet, where a whole company may be behind one.
constexpr unsigned kRate = 200;
constexpr std::size_t kPending = 250;
constexpr std::size_t kSessions = 1000;
constexpr std::size_t kMostPending = 1'000'000;

Result<tls::Secret> key_password(const config::Config& config) {
  if (config.key_password_file.empty()) return tls::Secret(config.key_password);
  auto file = tls::read_password_file(config.key_password_file);
  if (!file) return std::unexpected(file.error().in("--key-password-file"));
  if (!file->warning.empty()) log_warnings({file->warning});
  return std::move(file->password);
}

tls::MinVersion min_version(const config::Config& config) {
  if (config.ssl_version == "tlsv1_1") return tls::MinVersion::Tls11;
  return config.ssl_version == "tlsv1_3" ? tls::MinVersion::Tls13 : tls::MinVersion::Tls12;
}

using Pending = session::ConnectionLimits::Pending;

// "START:RATE:FULL" or "FULL", as sshd's MaxStartups.
Result<Pending> parse_max_pending(std::string_view text) {
  std::array<std::size_t, 3> numbers{};
  std::size_t count = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (count < numbers.size()) {
    const auto [stop, error] = std::from_chars(at, end, numbers[count]);
    if (error != std::errc()) break;
    ++count;
    at = stop;
    if (at == end || *at != ':') break;
    ++at;
  }
  const auto [start, percent, full] = numbers;
  const bool whole = at == end && !text.ends_with(':');
  if (whole && count == 1 && start <= kMostPending) return Pending{start, 100, start};
  if (whole && count == 3 && start < full && full <= kMostPending && percent <= 100) {
    return Pending{start, static_cast<unsigned>(percent), full};
  }
  return fail(Errc::Usage, "--max-pending: '" + std::string(text) +
                               "' is not START:RATE:FULL with START below FULL, up to " +
                               std::to_string(kMostPending) +
                               ", and a RATE up to 100; nor a single number");
}

// Room for sessions, and for ourselves.
void fit_descriptors(session::ConnectionLimits& limits, std::size_t descriptors) {
  limits.pending.full = std::min(limits.pending.full, descriptors / 4 * 3);
  limits.pending.start = std::min(limits.pending.start, descriptors / 2);
  limits.answered = std::min(limits.answered, descriptors / 8);
}

Status set_limits(const config::Config& config, session::Settings& settings) {
  auto pending = parse_max_pending(config.max_pending);
  if (!pending) return std::unexpected(pending.error());
  session::AddressLimits limits;
  limits.connections.pending = *pending;
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    fit_descriptors(limits.connections, descriptors.rlim_cur);
  }
  limits.connections.rate = static_cast<unsigned>(config.max_rate);
  limits.connections.pending_per_client = static_cast<std::size_t>(config.max_pending_per_address);
  limits.sessions = static_cast<std::size_t>(config.max_sessions_per_address);
  settings.this_machine = limits;
  if (limits.connections.rate == 0) limits.connections.rate = kRate;
  if (limits.connections.pending_per_client == 0) limits.connections.pending_per_client = kPending;
  if (limits.sessions == 0) limits.sessions = kSessions;
  settings.elsewhere = limits;
  return {};
}

// The directory that `file` is in, or is going to be.
Status check_directory_of(const std::string& what, const std::filesystem::path& file) {
  std::error_code error;
  const auto directory = std::filesystem::absolute(file, error).parent_path();
  if (std::filesystem::is_directory(directory, error)) return {};
  return fail(Errc::NotFound, what + ": there is no directory " + directory.string());
}

}  // namespace

void log_warnings(const std::vector<std::string>& warnings) {
  for (const std::string& text : warnings) log::warning("%s", text.c_str());
}

Result<std::shared_ptr<const tls::TlsContext>> load_tls(const config::Config& config,
                                                        std::shared_ptr<tls::TicketKeys> tickets) {
  auto password = key_password(config);
  if (!password) return std::unexpected(password.error());
  tls::ServerOptions options;
  for (std::size_t i = 0; i < config.cert.size(); ++i) {
    tls::CertificateFiles files{config.cert[i], i < config.key.size() ? config.key[i] : ""};
    if (i > 0) {
      options.more.push_back(std::move(files));
    } else {
      options.cert = std::move(files.cert);
      options.key = std::move(files.key);
    }
  }
  options.key_password = std::move(*password);
  options.ocsp = config.ocsp;
  options.tickets = std::move(tickets);
  options.min_version = min_version(config);
  options.ciphers = config.ssl_ciphers;
  options.ciphersuites = config.ssl_ciphersuites;
  options.verify_client = config.verify_client;
  options.ca_file = config.cafile;
  auto context = tls::TlsContext::load(options);
  if (context) log_warnings((*context)->warnings());
  return context;
}

Result<std::shared_ptr<const tls::ClientContext>> load_tls_to_target(const config::Config& config) {
  if (!config.ssl_target) return nullptr;
  tls::ClientOptions options;
  options.ca_file = config.ssl_target_ca;
  options.pin_sha256 = config.ssl_target_pin;
  options.insecure = config.ssl_target_insecure;
  options.cert = config.ssl_target_cert;
  options.key = config.ssl_target_key;
  auto context = tls::ClientContext::load(options);
  if (context) log_warnings((*context)->warnings());
  return context;
}

Result<std::shared_ptr<session::Settings>> make_settings(const config::Config& config,
                                                         std::shared_ptr<tls::TicketKeys> tickets) {
  auto settings = std::make_shared<session::Settings>();
  settings->config = config;
  if (config.wrap.empty()) {
    auto target = access::parse_target(config.target);
    if (!target) return std::unexpected(target.error());
    settings->target = std::move(*target);
  }
  if (!config.cert.empty()) {
    auto tls = load_tls(config, std::move(tickets));
    if (!tls) return std::unexpected(tls.error());
    settings->tls = std::move(*tls);
  }
  if (config.ssl_target && !settings->target.unix_path.empty()) {
    return fail(Errc::Usage, "--ssl-target: a Unix socket is spoken to without TLS");
  }
  if (const Status status = set_limits(config, *settings); !status) {
    return std::unexpected(status.error());
  }
  auto origins = access::OriginRules::parse(config.origin);
  if (!origins) return fail(Errc::Usage, "--origin: " + origins.error().text);
  settings->origins = std::move(*origins);
  auto names = access::HostNames::make(config.server_name, access::names_of_this_machine());
  if (!names) return fail(Errc::Usage, "--server-name: " + names.error().text);
  settings->names = std::move(*names);
  if (!web::is_source_list(config.frame_ancestors)) {
    return fail(Errc::Usage,
                "--frame-ancestors: '" + config.frame_ancestors + "' is no list of sources");
  }
  if (!config.web.empty()) {
    auto web = web::StaticDir::open(config.web);
    if (!web) return std::unexpected(web.error());
    settings->web = std::make_shared<const web::StaticDir>(std::move(*web));
  }
  return settings;
}

std::unique_ptr<tls::CertificateWatch> watch_certificates(const Clock& clock,
                                                          const config::Config& config,
                                                          tls::CertificateWatch::Load load) {
  if (config.cert.empty()) return nullptr;
  std::vector<std::string> files = config.cert;
  files.insert(files.end(), config.key.begin(), config.key.end());
  for (const std::string* file : {&config.key_password_file, &config.cafile}) {
    if (!file->empty()) files.push_back(*file);
  }
  return std::make_unique<tls::CertificateWatch>(clock, std::move(files), config.ocsp,
                                                 std::move(load));
}

void log_changes(const config::Config& before, const config::Config& now,
                 const std::vector<std::string_view>& kept) {
  std::string changed;
  for (const config::Change& change : config::describe_changes(before, now)) {
    changed += (changed.empty() ? "" : ", ") + std::string(change.option);
  }
  std::string later;
  for (const std::string_view name : kept) {
    later += (later.empty() ? "" : ", ") + std::string(name);
  }
  if (!later.empty()) log::warning("a restart is needed to change: %s", later.c_str());
  log::info("reloaded: %s", changed.empty() ? "certificates and keys; no option has changed"
                                            : ("changed for new sessions: " + changed).c_str());
}

log::Level log_level(const config::Config& config) {
  if (config.log_level == "error") return log::Level::Error;
  if (config.log_level == "warning") return log::Level::Warning;
  return config.log_level == "debug" ? log::Level::Debug : log::Level::Info;
}

Status check_addresses(const config::Config& config) {
  for (const std::string& text : config.listen) {
    const auto address = config::parse_listen_address(text);
    if (!address) return std::unexpected(address.error());
    switch (address->kind) {
      case config::ListenAddress::Kind::Tcp: {
        // port 0: is it ours at all? The real one may be taken, by us
        const auto sockets = io::listen_on({address->tcp.host, 0});
        if (!sockets) return std::unexpected(sockets.error());
        break;
      }
      case config::ListenAddress::Kind::Unix:
        if (const Status status = check_directory_of("cannot listen on " + text, address->path);
            !status) {
          return status;
        }
        break;
      case config::ListenAddress::Kind::Descriptor:
      case config::ListenAddress::Kind::Systemd: break;  // the service manager's affair
    }
  }
  return {};
}

Status check_directories(const config::Config& config) {
  namespace fs = std::filesystem;
  const std::string access_log = config.access_log == "-" ? std::string() : config.access_log;
  using Wanted = std::pair<const char*, fs::path>;
  const std::array<Wanted, 5> wanted = {
      Wanted{"--pid-file", config.pid_file},
      {"--log-file", config.log_file},
      {"--access-log", access_log},
      {"--record", config.record},
      {"--chroot", config.chroot.empty() ? fs::path() : fs::path(config.chroot) / "."},
  };
  for (const auto& [option, file] : wanted) {
    if (file.empty()) continue;
    if (const Status status = check_directory_of(option, file); !status) return status;
  }
  return {};
}

}  // namespace wsproxy::server
