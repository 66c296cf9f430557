// From a configuration to what sessions share.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "session/settings.h"
#include "tls/certificate_watch.h"
#include "tls/client_context.h"
#include "tls/ticket_keys.h"

namespace wsproxy::server {

void log_warnings(const std::vector<std::string>& warnings);

/// Does everything that can fail: reads certificates, keys and passwords, opens the web directory,
/// looks at the target. Warnings go to the log.
/// Errors name the option, and the file or address.
/// `tickets`: the keys that seal TLS tickets, null for new ones.
Result<std::shared_ptr<session::Settings>> make_settings(
    const config::Config& config, std::shared_ptr<tls::TicketKeys> tickets = nullptr);

/// The TLS that we offer; `config.cert` is not empty.
/// Errors: as above.
Result<std::shared_ptr<const tls::TlsContext>> load_tls(const config::Config& config,
                                                        std::shared_ptr<tls::TicketKeys> tickets);

/// What TLS to the target goes by; null without --ssl-target. Warnings go to the log.
/// Errors name the option and the file.
Result<std::shared_ptr<const tls::ClientContext>> load_tls_to_target(const config::Config& config);

/// Looks for renewed certificates and has `load` read them; null without TLS. The files are looked at
/// before they are read, so call it before load_tls(): no change falls in between.
std::unique_ptr<tls::CertificateWatch> watch_certificates(const Clock& clock,
                                                          const config::Config& config,
                                                          tls::CertificateWatch::Load load);

/// Tells the operator what a reload has changed, and what of it waits for a restart (`kept`, names of
/// options).
void log_changes(const config::Config& before, const config::Config& now,
                 const std::vector<std::string_view>& kept);

/// The level that --log-level and --verbose come to.
log::Level log_level(const config::Config& config);

/// Looks at every address to listen on without listening: names are looked up, addresses must be this
/// machine's, directories of Unix sockets must exist. Whether a port is free is not asked.
Status check_addresses(const config::Config& config);

/// Looks whether there are the directories of the files that are written, and the one to chroot into.
/// Errors name the option and the directory.
Status check_directories(const config::Config& config);

}  // namespace wsproxy::server
