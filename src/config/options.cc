#include "config/options.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace wsproxy::config {
namespace {

constexpr int kYears = 10 * 365 * 86400;  // "never", for everybody who wants a number

using enum Group;

constexpr std::array kOptions = {
    // clang-format off
    Option{Listening, "listen", 0, "ADDRESS", &Config::listen, 0, 0, Reload::Restart, kPlain,
           "Listen on this address: [ADDR:]PORT, unix:PATH, fd:N for a listening socket that is open "
           "already, or systemd for all sockets that the service manager passes. May be repeated"},
    Option{Listening, "unix-listen", 0, "PATH", &Config::unix_listen, 0, 0, Reload::Restart, kWebsockify,
           "Listen on this Unix socket, the same as --listen unix:PATH"},
    Option{Listening, "unix-listen-mode", 0, "MODE", &Config::unix_listen_mode, 0, 0777, Reload::Restart, kWebsockify,
           "Give Unix sockets these permissions, in octal"},
    Option{Listening, "inetd", 0, "", &Config::inetd, 0, 0, Reload::Restart, kWebsockify,
           "Standard input is the listening socket, the same as --listen fd:0"},
    Option{Listening, "reuse-port", 0, "", &Config::reuse_port, 0, 0, Reload::Restart, kPlain,
           "Share TCP ports with other instances of the same user that say so as well; the kernel spreads "
           "connections over them"},
    Option{Listening, "handshake-timeout", 0, "SECONDS", &Config::handshake_timeout, 1, 3600, Reload::NewSessions, kPlain,
           "Give up on a client whose request, TLS and all, is not complete after this long"},
    Option{Listening, "max-header-bytes", 0, "BYTES", &Config::max_header_bytes, 1024, 65536, Reload::NewSessions, kPlain,
           "Refuse a request whose line and header fields have more than this"},
    Option{Listening, "max-headers", 0, "NUMBER", &Config::max_headers, 10, 1000, Reload::NewSessions, kPlain,
           "Refuse a request with more header fields"},

    Option{Target, "target", 0, "TARGET", &Config::target, 0, 0, Reload::NewSessions, kPlain,
           "Relay to this VNC server: HOST:PORT, [IPV6]:PORT or unix:PATH"},
    Option{Target, "unix-target", 0, "PATH", &Config::unix_target, 0, 0, Reload::NewSessions, kWebsockify,
           "Relay to this Unix socket, the same as --target unix:PATH"},
    Option{Target, "wrap", 0, "ARGUMENT", &Config::wrap, 0, 0, Reload::Restart, kFile,
           "Run this program and relay to it: one line for its name and one for each of its arguments, "
           "as behind -- on the command line"},
    Option{Target, "wrap-mode", 0, "exit|ignore|respawn", &Config::wrap_mode, 0, 0, Reload::Restart, kWebsockify,
           "When the program behind -- ends: exit as well, do nothing, or run it again"},
    Option{Target, "lookup-timeout", 0, "SECONDS", &Config::lookup_timeout, 1, 3600, Reload::NewSessions, kPlain,
           "Give up looking up the target's name after this long"},
    Option{Target, "connect-timeout", 0, "SECONDS", &Config::connect_timeout, 1, 3600, Reload::NewSessions, kPlain,
           "Give up connecting to the target after this long, all its addresses together"},
    Option{Target, "ssl-target", 0, "", &Config::ssl_target, 0, 0, Reload::NewSessions, kWebsockify,
           "Speak TLS with the target, and check its certificate and name"},
    Option{Target, "ssl-target-ca", 0, "FILE", &Config::ssl_target_ca, 0, 0, Reload::NewSessions, kPlain,
           "Trust the authorities in this PEM file for the target, in place of the system's"},
    Option{Target, "ssl-target-pin", 0, "SHA256", &Config::ssl_target_pin, 0, 0, Reload::NewSessions, kPlain,
           "Trust the target's certificate if and only if this is its SHA-256 fingerprint, in hexadecimal "
           "with or without colons"},
    Option{Target, "ssl-target-insecure", 0, "", &Config::ssl_target_insecure, 0, 0, Reload::NewSessions, kPlain,
           "Take any certificate from the target: keeps out listeners, but no impostors"},
    Option{Target, "ssl-target-cert", 0, "FILE", &Config::ssl_target_cert, 0, 0, Reload::NewSessions, kPlain,
           "Show the target the certificate in this PEM file"},
    Option{Target, "ssl-target-key", 0, "FILE", &Config::ssl_target_key, 0, 0, Reload::NewSessions, kPlain,
           "Read the key for it from this PEM file; by default it is in the certificate's file"},

    Option{Tls, "cert", 0, "FILE", &Config::cert, 0, 0, Reload::NewSessions, kWebsockify,
           "Offer TLS with the certificate chain in this PEM file; without it only plain connections "
           "are served. With --ssl-only alone it is self.pem. May be repeated: a client is shown the "
           "one for the name that it asks for, or the first"},
    Option{Tls, "key", 0, "FILE", &Config::key, 0, 0, Reload::NewSessions, kWebsockify,
           "Read the private key from this PEM file; by default it is in the certificate's file. With "
           "several certificates give a key for each, in the same order, or none"},
    Option{Tls, "key-password", 0, "PASSWORD", &Config::key_password, 0, 0, Reload::NewSessions, kWebsockify | kSecret,
           "The key's password; everybody on this machine can read it on the command line"},
    Option{Tls, "key-password-file", 0, "FILE", &Config::key_password_file, 0, 0, Reload::NewSessions, kPlain,
           "Read the key's password from the first line of this file"},
    Option{Tls, "ssl-only", 0, "", &Config::ssl_only, 0, 0, Reload::NewSessions, kWebsockify,
           "Refuse connections without TLS"},
    Option{Tls, "ssl-version", 0, "default|tlsv1_1|tlsv1_2|tlsv1_3", &Config::ssl_version, 0, 0, Reload::NewSessions, kWebsockify,
           "Speak no older version of TLS than this; by default 1.2 and 1.3"},
    Option{Tls, "ssl-ciphers", 0, "LIST", &Config::ssl_ciphers, 0, 0, Reload::NewSessions, kWebsockify,
           "Allow these ciphers up to TLS 1.2, written as OpenSSL does"},
    Option{Tls, "ssl-ciphersuites", 0, "LIST", &Config::ssl_ciphersuites, 0, 0, Reload::NewSessions, kPlain,
           "Allow these ciphers in TLS 1.3, written as OpenSSL does"},
    Option{Tls, "verify-client", 0, "", &Config::verify_client, 0, 0, Reload::NewSessions, kWebsockify,
           "Serve only clients with a certificate; needs --ssl-only"},
    Option{Tls, "cafile", 0, "FILE", &Config::cafile, 0, 0, Reload::NewSessions, kWebsockify,
           "Trust the authorities in this PEM file for clients' certificates, in place of the system's"},
    Option{Tls, "ocsp", 0, "FILE", &Config::ocsp, 0, 0, Reload::NewSessions, kPlain,
           "Staple the OCSP response in this DER file to the certificate that it is about, for as long as "
           "it holds; read again when it changes. May be repeated"},
    Option{Tls, "hsts", 0, "SECONDS", &Config::hsts, 0, kYears, Reload::NewSessions, kPlain,
           "Tell browsers to use nothing but TLS for this long (Strict-Transport-Security, RFC 6797), on every "
           "port of this name; 0 to tell them nothing"},

    Option{Pages, "web", 0, "DIR", &Config::web, 0, 0, Reload::NewSessions, kWebsockify,
           "Serve the files of this directory in place of the built-in page"},
    Option{Pages, "frame-ancestors", 0, "SOURCES", &Config::frame_ancestors, 0, 0, Reload::NewSessions, kPlain,
           "Let pages of these origins show the built-in page in a frame, such as \"'self' "
           "https://portal.example\"; 'none' for nobody, * for everybody"},
    Option{Pages, "send-timeout", 0, "SECONDS", &Config::send_timeout, 1, 3600, Reload::NewSessions, kPlain,
           "Give up on a client that takes nothing of a page or file for this long"},

    Option{Access, "origin", 0, "ORIGIN", &Config::origin, 0, 0, Reload::NewSessions, kPlain,
           "Let pages of this origin connect, such as https://portal.example or https://*.example.org, besides "
           "those of the host that is asked; null for pages without one, * for all. May be repeated"},
    Option{Access, "server-name", 0, "NAME", &Config::server_name, 0, 0, Reload::NewSessions, kPlain,
           "Answer requests for this host name as well, such as desk.example.org or *.example.org, besides "
           "localhost, this machine's name, the names in the certificate and the address that is connected to; "
           "* for all. May be repeated"},

    Option{Access, "max-rate", 0, "NUMBER", &Config::max_rate, 0, 1000000, Reload::NewSessions, kPlain,
           "Refuse a client that connects more often a second, with 429. The client of this and the next options "
           "is an IPv4 address or the /64 network of an IPv6 address; many people may be behind one. 0, the "
           "default, is 200, and no limit for clients on this machine, who may come through a reverse proxy: any "
           "other number counts for those too, but not for clients on a Unix socket"},
    Option{Access, "max-pending-per-address", 0, "NUMBER", &Config::max_pending_per_address, 0, 1000000, Reload::NewSessions, kPlain,
           "Refuse a client that has as many connections without a WebSocket open, with 429; 0, the default, is "
           "250, and no limit for clients on this machine"},
    Option{Access, "max-pending", 0, "START:RATE:FULL", &Config::max_pending, 0, 0, Reload::NewSessions, kPlain,
           "Of new connections refuse RATE percent, with 503, once START of those that are there have no WebSocket "
           "(yet), more and more as they grow in number, and all when there are FULL; or a single number, to refuse "
           "all from there on, 0 for no limit. At most half and three quarters of the descriptors are used up so"},
    Option{Access, "max-sessions-per-address", 0, "NUMBER", &Config::max_sessions_per_address, 0, 1000000, Reload::NewSessions, kPlain,
           "Refuse a client that has so many sessions open, with 429; 0, the default, is 1000, and no limit for "
           "clients on this machine"},
    Option{Access, "max-sessions-per-target", 0, "NUMBER", &Config::max_sessions_per_target, 0, 1000000, Reload::NewSessions, kPlain,
           "Refuse further sessions to a target that has so many, with 503; 0 for no limit"},

    Option{Sessions, "max-sessions", 0, "NUMBER", &Config::max_sessions, 0, 1000000, Reload::NewSessions, kPlain,
           "Serve no more clients at a time; 0 for as many as descriptors allow"},
    Option{Sessions, "heartbeat", 0, "SECONDS", &Config::heartbeat, 0, 86400, Reload::NewSessions, kWebsockify,
           "Ping a client that has been quiet for this long, and hang up when it does not answer; 0 for never"},
    Option{Sessions, "session-idle-timeout", 0, "SECONDS", &Config::session_idle_timeout, 0, kYears, Reload::NewSessions, kPlain,
           "End a session that has relayed nothing either way for this long; 0 for never"},
    Option{Sessions, "session-max-duration", 0, "SECONDS", &Config::session_max_duration, 0, kYears, Reload::NewSessions, kPlain,
           "End a session that is this old; 0 for never"},
    Option{Sessions, "tcp-user-timeout", 0, "SECONDS", &Config::tcp_user_timeout, 0, 86400, Reload::NewSessions, kPlain,
           "Give up on a client or target that has acknowledged nothing of what was sent, or had no room for more, "
           "for this long (TCP_USER_TIMEOUT, see tcp(7)); 0 to leave it to the system"},
    Option{Sessions, "max-control-frames", 0, "NUMBER", &Config::max_control_frames, 0, 1000000, Reload::NewSessions, kPlain,
           "Hang up on a client that sends more pings and pongs a second (Close 1008); 0 for no limit. A browser "
           "sends one every now and then, as an answer"},
    Option{Sessions, "drain-timeout", 0, "SECONDS", &Config::drain_timeout, 1, 3600, Reload::NewSessions, kPlain,
           "When one side has closed, let what it had sent reach the other for at most this long "
           "without progress; after SIGTERM for no longer in all"},
    Option{Sessions, "run-once", 0, "", &Config::run_once, 0, 0, Reload::Restart, kWebsockify,
           "Exit when the first session has ended"},
    Option{Sessions, "timeout", 0, "SECONDS", &Config::timeout, 0, kYears, Reload::Restart, kWebsockify,
           "Stop listening this long after the start, and exit with the last session; 0 for never"},
    Option{Sessions, "idle-timeout", 0, "SECONDS", &Config::idle_timeout, 0, kYears, Reload::Restart, kWebsockify,
           "Exit when there has been no session for this long; 0 for never"},
    Option{Sessions, "record", 0, "FILE", &Config::record, 0, 0, Reload::Restart, kWebsockify,
           "Record every session, to FILE.1, FILE.2 and so on, for noVNC's player; everything typed is in "
           "them"},

    Option{Service, "config", 0, "FILE", &Config::config, 0, 0, Reload::Restart, kCommandLine,
           "Read options from this file, see wsproxy.conf(5); by default from "
           "/etc/wsproxy/wsproxy.conf when it exists. The command line wins"},
    Option{Service, "check", 0, "", &Config::check, 0, 0, Reload::Restart, kCommandLine,
           "Check the configuration, the files it names and its addresses, and exit"},
    Option{Service, "dump-config", 0, "", &Config::dump_config, 0, 0, Reload::Restart, kCommandLine,
           "Print the configuration in effect as a configuration file, and exit"},
    Option{Service, "daemon", 'D', "", &Config::daemon, 0, 0, Reload::Restart, kWebsockify,
           "Go into the background once everything is ready"},
    Option{Service, "foreground", 'f', "", &Config::foreground, 0, 0, Reload::Restart, kCommandLine,
           "Stay in the foreground, as is the default"},
    Option{Service, "pid-file", 0, "FILE", &Config::pid_file, 0, 0, Reload::Restart, kPlain,
           "Write the process's number to this file, and remove it at the end"},
    Option{Service, "user", 0, "USER", &Config::user, 0, 0, Reload::Restart, kPlain,
           "Become this user once ports, keys and logs are open"},
    Option{Service, "group", 0, "GROUP", &Config::group, 0, 0, Reload::Restart, kPlain,
           "Become this group; by default the user's own"},
    Option{Service, "chroot", 0, "DIR", &Config::chroot, 0, 0, Reload::Restart, kPlain,
           "See nothing of the file system but this directory from then on"},
    Option{Service, "sandbox", 0, "", &Config::sandbox, 0, 0, Reload::Restart, kFile,
           "Once everything is open, give up what is not needed: files but those of the configuration, "
           "starting programs, most system calls. See SANDBOX in wsproxy(8)"},
    Option{Service, "no-sandbox", 0, "", &Config::no_sandbox, 0, 0, Reload::Restart, kCommandLine,
           "Keep access to every file and system call that the user may use"},
    Option{Service, "help", 'h', "", &Config::help, 0, 0, Reload::Restart, kWebsockify | kCommandLine,
           "Print this help and exit"},
    Option{Service, "version", 0, "", &Config::version, 0, 0, Reload::Restart, kCommandLine,
           "Print the version and exit"},

    Option{Logging, "log-level", 0, "error|warning|info|debug", &Config::log_level, 0, 0, Reload::Now, kPlain,
           "Log nothing less important than this"},
    Option{Logging, "verbose", 'v', "", &Config::verbose, 0, 0, Reload::Now, kWebsockify,
           "Log requests and the steps of every session as well, the same as --log-level debug"},
    Option{Logging, "log-format", 0, "text|json", &Config::log_format, 0, 0, Reload::Restart, kPlain,
           "Write log lines for people or for programs"},
    Option{Logging, "log-file", 0, "FILE", &Config::log_file, 0, 0, Reload::Restart, kWebsockify,
           "Append log lines to this file as well as to standard error; SIGUSR1 opens it anew"},
    Option{Logging, "syslog", 0, "ADDRESS", &Config::syslog, 0, 0, Reload::Restart, kWebsockify,
           "Send log lines to syslog as well: HOST:PORT over UDP, or the path of a socket such as /dev/log"},
    Option{Logging, "legacy-syslog", 0, "", &Config::legacy_syslog, 0, 0, Reload::Restart, kWebsockify,
           "Send them in the old format without a time, for servers that do not know RFC 5424"},
    Option{Logging, "access-log", 0, "FILE", &Config::access_log, 0, 0, Reload::Restart, kPlain,
           "Append a line for every request and session to this file; - is standard output"},
    Option{Logging, "access-format", 0, "combined|json", &Config::access_format, 0, 0, Reload::Restart, kPlain,
           "Write those lines as web servers do, or as JSON"},

    Option{Websockify, "prefer-ipv6", '6', "", &Config::prefer_ipv6, 0, 0, Reload::Restart, kWebsockify,
           "Nothing to do: both families are listened on, and all addresses of a target tried"},
    Option{Websockify, "file-only", 0, "", &Config::file_only, 0, 0, Reload::Restart, kWebsockify,
           "Nothing to do: directories are never listed"},
    Option{Websockify, "traffic", 0, "", &Config::traffic, 0, 0, Reload::Restart, kWebsockify,
           "The same as --verbose: single frames are not shown",
           "single frames are not shown; --verbose is switched on in its place"},
    Option{Websockify, "libserver", 0, "", &Config::libserver, 0, 0, Reload::Restart, kWebsockify,
           "Nothing to do: there is one engine only", "there is one engine only; leave it out"},
    Option{Websockify, "auto-pong", 0, "", &Config::auto_pong, 0, 0, Reload::Restart, kWebsockify,
           "Nothing to do: pings are always answered", "pings are always answered; leave it out"},
    Option{Websockify, "token-plugin", 0, "NAME", &Config::token_plugin, 0, 0, Reload::NewSessions, kWebsockify | kNotYet,
           "Not there yet"},
    Option{Websockify, "token-source", 0, "SOURCE", &Config::token_source, 0, 0, Reload::NewSessions, kWebsockify | kNotYet,
           "Not there yet"},
    Option{Websockify, "target-config", 0, "FILE", &Config::target_config, 0, 0, Reload::NewSessions, kWebsockify | kNotYet,
           "Not there yet"},
    Option{Websockify, "host-token", 0, "", &Config::host_token, 0, 0, Reload::NewSessions, kWebsockify | kNotYet,
           "Not there yet"},
    Option{Websockify, "auth-plugin", 0, "NAME", &Config::auth_plugin, 0, 0, Reload::NewSessions, kWebsockify | kNotYet,
           "Not there yet"},
    Option{Websockify, "auth-source", 0, "SOURCE", &Config::auth_source, 0, 0, Reload::NewSessions, kWebsockify | kNotYet | kSecret,
           "Not there yet"},
    Option{Websockify, "web-auth", 0, "", &Config::web_auth, 0, 0, Reload::NewSessions, kWebsockify | kNotYet,
           "Not there yet"},
    // clang-format on
};

}  // namespace

std::string_view heading(Group group) {
  switch (group) {
    case Listening: return "Listening";
    case Target: return "Target";
    case Tls: return "TLS";
    case Pages: return "Pages";
    case Access: return "Who may connect";
    case Sessions: return "Sessions";
    case Service: return "Service";
    case Logging: return "Logging";
    case Websockify: return "Accepted for websockify's sake";
  }
  return "";
}

bool Option::repeats() const {
  return std::holds_alternative<std::vector<std::string> Config::*>(member);
}

std::span<const Option> options() { return kOptions; }

const Option& option_named(std::string_view name) {
  const auto found = std::ranges::find(kOptions, name, &Option::name);
  CHECK(found != kOptions.end());
  return *found;
}

std::vector<std::string_view> choices(const Option& option) {
  std::vector<std::string_view> words;
  std::string_view rest = option.value;
  if (rest.find('|') == std::string_view::npos) return words;
  while (true) {
    const auto bar = rest.find('|');
    words.push_back(rest.substr(0, bar));
    if (bar == std::string_view::npos) return words;
    rest.remove_prefix(bar + 1);
  }
}

void copy(const Option& option, const Config& from, Config& to) {
  std::visit([&](auto member) { to.*member = from.*member; }, option.member);
}

std::vector<Change> describe_changes(const Config& before, const Config& after) {
  std::vector<Change> changes;
  for (const Option& option : kOptions) {
    const bool same =
        std::visit([&](auto member) { return before.*member == after.*member; }, option.member);
    if (!same) changes.push_back({option.name, option.reload});
  }
  return changes;
}

std::vector<std::string_view> keep_until_restart(const Config& before, Config& after) {
  std::vector<std::string_view> kept;
  // a program or a target: whoever replaces one by the other changes both
  if (before.wrap != after.wrap) after.target = before.target;
  for (const auto& [name, reload] : describe_changes(before, after)) {
    const Option& option = option_named(name);
    if (reload != Reload::Restart || option.has(kCommandLine)) continue;
    copy(option, before, after);
    kept.push_back(name);
  }
  return kept;
}

}  // namespace wsproxy::config
