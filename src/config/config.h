// What an operator can set. Immutable once read; sessions share it as shared_ptr<const Config>.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace wsproxy::config {

/// Permission bits, as chmod has them.
struct FileMode {
  unsigned bits = 0;
  bool operator==(const FileMode&) const = default;
};

/// Every option's value, flat, in the order of the option table. A member is named as its option.
///
/// What several options say together is worked out once, when the configuration is read: a reader
/// looks at `listen`, `target` or `wrap`, `log_level` and `daemon` alone (see command_line.h).
struct Config {
  // Listening
  std::vector<std::string> listen;  ///< as written, see parse_listen_address(); never empty
  std::string unix_listen;  ///< always empty once read: it went into `listen` as "unix:PATH"
  FileMode unix_listen_mode{0600};  ///< of every Unix socket we create
  bool inetd = false;               ///< always false once read: it went into `listen` as "fd:0"
  bool reuse_port = false;          ///< of every TCP port that we open
  bool prefer_ipv6 = false;         ///< nothing to do
  int max_header_bytes = 16384;
  int max_headers = 100;
  std::chrono::seconds handshake_timeout{10};  ///< from accept to the end of the request, in total

  // Target
  std::string target;             ///< "HOST:PORT" or "unix:PATH", as written; empty: see `wrap`
  std::string unix_target;        ///< always empty once read: it went into `target` as "unix:PATH"
  std::vector<std::string> wrap;  ///< a program and its arguments; empty: see `target`
  std::string wrap_mode = "exit";
  std::chrono::seconds lookup_timeout{5};
  std::chrono::seconds connect_timeout{10};  ///< all addresses of a target together
  bool ssl_target = false;
  std::string ssl_target_ca;   ///< PEM file; empty: the system's
  std::string ssl_target_pin;  ///< SHA-256 of the certificate, in hex
  bool ssl_target_insecure = false;
  std::string ssl_target_cert;  ///< PEM file
  std::string ssl_target_key;   ///< PEM file; empty: the key is in `ssl_target_cert`

  // TLS
  std::vector<std::string> cert;  ///< PEM files: certificate and chain; empty: no TLS
  std::vector<std::string>
      key;                   ///< PEM files, as many as of `cert`, or none: the keys are in those
  std::string key_password;  ///< never to be shown
  std::string key_password_file;
  bool ssl_only = false;
  std::string ssl_version = "default";
  std::string ssl_ciphers;        ///< OpenSSL list, up to TLS 1.2; empty: ours
  std::string ssl_ciphersuites;   ///< OpenSSL list, TLS 1.3; empty: ours
  bool verify_client = false;     ///< only with `ssl_only`
  std::string cafile;             ///< PEM file; empty: the system's
  std::vector<std::string> ocsp;  ///< files in DER
  std::chrono::seconds hsts{0};   ///< 0: not said

  // Pages
  std::string web;                         ///< directory to serve in place of the built-in page
  bool file_only = false;                  ///< nothing to do: directories are never listed
  std::string frame_ancestors = "'self'";  ///< who may embed the built-in page (CSP source list)
  std::chrono::seconds send_timeout{30};   ///< a page or file that makes no progress

  // Access
  std::vector<std::string> origin;       ///< of pages that may connect besides ours; "*": all
  std::vector<std::string> server_name;  ///< that we answer to besides what we know; "*": all

  int max_rate = 0;                          ///< new connections of an address a second; 0: ours
  std::string max_pending = "4000:30:8000";  ///< START:RATE:FULL, FULL, or "0"
  int max_pending_per_address = 0;           ///< 0: ours
  int max_sessions_per_address = 0;          ///< 0: ours
  int max_sessions_per_target = 0;           ///< 0: no limit

  // Sessions
  int max_sessions = 0;                          ///< 0: as many as descriptors allow
  std::chrono::seconds session_idle_timeout{0};  ///< 0: never
  std::chrono::seconds session_max_duration{0};  ///< 0: as long as it likes
  std::chrono::seconds tcp_user_timeout{120};    ///< of clients and targets; 0: the system's
  std::chrono::seconds heartbeat{30};            ///< 0: off
  int max_control_frames = 100;                  ///< of a client a second; 0: no limit
  std::chrono::seconds drain_timeout{5};         ///< for what is under way when one side closes
  bool run_once = false;
  std::chrono::seconds timeout{0};       ///< from the start; 0: never
  std::chrono::seconds idle_timeout{0};  ///< 0: never
  std::string record;                    ///< file, a number is put behind it; empty: none

  // Service
  std::string config;  ///< the file that was read, or empty
  bool check = false;
  bool dump_config = false;
  bool daemon = false;
  bool foreground = false;
  std::string pid_file;
  std::string user;
  std::string group;
  std::string chroot;
  bool sandbox = true;
  bool no_sandbox = false;  ///< always false once read: then `sandbox` is
  bool help = false;
  bool version = false;

  // Logging
  std::string log_level = "info";  ///< "debug" whenever `verbose`
  bool verbose = false;
  std::string log_format = "text";
  std::string log_file;
  std::string syslog;  ///< "HOST:PORT" or the path of a socket
  bool legacy_syslog = false;
  std::string access_log;  ///< file, "-": standard output; empty: none
  std::string access_format = "combined";

  // Accepted for websockify's sake
  bool traffic = false;
  bool libserver = false;
  bool auto_pong = false;
  std::string token_plugin;
  std::string token_source;
  std::string target_config;
  bool host_token = false;
  std::string auth_plugin;
  std::string auth_source;
  bool web_auth = false;

  /// Not an option: what to tell the operator about the options used, one line each.
  std::vector<std::string> warnings;

  bool operator==(const Config&) const = default;
};

}  // namespace wsproxy::config
