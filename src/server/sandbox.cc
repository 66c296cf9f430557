#include "server/sandbox.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "config/listen_address.h"
#include "config/load.h"
#include "server/file_reader.h"
#include "tls/openssl.h"

namespace wsproxy::server {
namespace {

namespace fs = std::filesystem;

// What the C library's resolver and its modules read. /etc as a whole, because files in it are replaced by
// rename (resolv.conf, at every change of the network).
constexpr auto kForLookUps = {"/etc", "/lib",         "/lib64",         "/usr",
                              "/run", "/var/lib/sss", "/var/cache/nscd"};

std::string directory_of(const std::string& file) {
  std::error_code error;
  return fs::absolute(file, error).parent_path().string();
}

bool is_fatal_wanted() {
  const char* value = std::getenv("WSPROXY_SANDBOX_FATAL");
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace

Sandbox::Sandbox(const config::Config& config, Prepare drop_privileges)
    : config_(config),
      drop_privileges_(std::move(drop_privileges)),
      on_(config.sandbox && !daemon::is_sanitized()),
      denied_(is_fatal_wanted() ? daemon::Denied::Fatal : daemon::Denied::Enosys) {
  for (const std::string& file : {config.log_file, config.access_log}) {
    const bool descriptor = file == "-" || file.starts_with("/dev/");
    if (!file.empty() && !descriptor) log_directories_.push_back(directory_of(file));
  }
  if (!config.record.empty()) record_directories_.push_back(directory_of(config.record));
  if (!config.pid_file.empty()) remove_in_.push_back(directory_of(config.pid_file));
  for (const std::string& text : config.listen) {
    const auto address = config::parse_listen_address(text);
    if (address && address->kind == config::ListenAddress::Kind::Unix) {
      remove_in_.push_back(directory_of(address->path));
    }
  }
}

Sandbox::Prepare Sandbox::confined(daemon::Role role,
                                   std::function<void(daemon::FileRules&)> rules) const {
  return [drop = drop_privileges_, on = on_, denied = denied_, role, rules = std::move(rules)] {
    if (Status dropped = drop(); !dropped || !on) return dropped;
    daemon::FileRules files;
    rules(files);
    files.may_use("/dev/null");
    // what is not to be had the daemon tells, for itself and for all
    (void)daemon::confine(files,
                          {.role = role, .ports = std::vector<std::uint16_t>(), .denied = denied});
    return Status();
  };
}

Sandbox::Prepare Sandbox::for_look_ups() const {
  return confined(daemon::Role::LookUps, [](daemon::FileRules& files) {
    for (const char* place : kForLookUps) files.may_read(place);
  });
}

Sandbox::Prepare Sandbox::for_logs() const {
  return confined(daemon::Role::Writer, [directories = log_directories_](daemon::FileRules& files) {
    for (const std::string& directory : directories) files.may_write_in(directory);
  });
}

Sandbox::Prepare Sandbox::for_recordings() const {
  return confined(daemon::Role::Writer,
                  [directories = record_directories_](daemon::FileRules& files) {
                    for (const std::string& directory : directories) files.may_write_in(directory);
                  });
}

Sandbox::Prepare Sandbox::for_starter(bool runs_programs) const {
  if (runs_programs) return drop_privileges_;
  auto directories = log_directories_;
  directories.insert(directories.end(), record_directories_.begin(), record_directories_.end());
  return confined(daemon::Role::Starter, [directories](daemon::FileRules& files) {
    files.may_read("/");  // for FileReader: nobody tells which files a later configuration names
    for (const std::string& directory : directories) files.may_write_in(directory);
  });
}

void Sandbox::before_chroot() {
  if (!on_) return;
  rules_.emplace();
  for (const std::string& directory : remove_in_) rules_->may_remove_in(directory);
}

void Sandbox::allow_reading(daemon::FileRules& rules) const {
  config::Config config = config_;
  for (const NamedFile& file : files_of(config)) rules.may_read_replaced(*file.path);
  if (config.config.empty()) {
    rules.may_read(directory_of(config::kDefaultFile));  // it may come later
  } else {
    rules.may_read_replaced(config.config);
  }
  if (!config_.web.empty()) rules.may_read(config_.web);
  for (const std::string& place : tls::system_places()) rules.may_read(place);
  rules.may_read("/etc/hosts");
}

void Sandbox::enter(const io::Endpoint& target) {
  if (!config_.sandbox) {
    log::warning(
        "no sandbox, as told: every file and system call that our user may use is open to us");
    return;
  }
  if (!on_) {
    log::info("no sandbox: this build has a sanitizer in it, which needs more");
    return;
  }
  allow_reading(*rules_);
  daemon::Confinement confinement{.role = daemon::Role::Daemon, .ports = {}, .denied = denied_};
  // a reload can change the target only where there is a file
  if (config_.config.empty()) {
    confinement.ports.emplace();
    if (target.port != 0) confinement.ports->push_back(target.port);
  }
  const daemon::Confined confined = daemon::confine(*rules_, confinement);
  rules_.reset();
  entered_ = true;
  if (!confined.has.empty()) log::info("sandbox: %s", confined.has.c_str());
  if (!confined.missing.empty()) log::warning("sandbox: %s", confined.missing.c_str());
}

Status Sandbox::reaches(const config::Config& next) const {
  if (!entered_ || next.web.empty() || !daemon::is_out_of_reach(next.web)) return {};
  return fail(Errc::Io,
              "--web " + next.web +
                  ": the sandbox of this process has no access to files there; a restart gives it");
}

}  // namespace wsproxy::server
