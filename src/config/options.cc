#include "config/options.h"

#include <array>

namespace wsproxy::config {
namespace {

constexpr std::array kOptions = {
    // clang-format off
    Option{"cert", 0, "FILE", &Config::cert, 0, 0, Reload::NewSessions,
           "Offer TLS with the certificate chain in this PEM file; without it only plain connections "
           "are served. With --ssl-only alone it is self.pem"},
    Option{"key", 0, "FILE", &Config::key, 0, 0, Reload::NewSessions,
           "Read the private key from this PEM file; by default it is in the certificate's file"},
    Option{"ssl-only", 0, "", &Config::ssl_only, 0, 0, Reload::NewSessions,
           "Refuse connections without TLS"},
    Option{"web", 0, "DIR", &Config::web, 0, 0, Reload::Restart,
           "Serve the files of this directory in place of the built-in page"},
    Option{"frame-ancestors", 0, "SOURCES", &Config::frame_ancestors, 0, 0, Reload::NewSessions,
           "Let pages of these origins show the built-in page in a frame, such as \"'self' "
           "https://portal.example\"; 'none' for nobody, * for everybody"},
    Option{"handshake-timeout", 0, "SECONDS", &Config::handshake_timeout, 1, 3600, Reload::NewSessions,
           "Give up on a client whose request is not complete after this long"},
    Option{"lookup-timeout", 0, "SECONDS", &Config::lookup_timeout, 1, 3600, Reload::NewSessions,
           "Give up looking up the target's name after this long"},
    Option{"connect-timeout", 0, "SECONDS", &Config::connect_timeout, 1, 3600, Reload::NewSessions,
           "Give up connecting to the target after this long, all its addresses together"},
    Option{"drain-timeout", 0, "SECONDS", &Config::drain_timeout, 1, 3600, Reload::NewSessions,
           "When one side has closed, let what it had sent reach the other for at most this long "
           "without progress"},
    Option{"send-timeout", 0, "SECONDS", &Config::send_timeout, 1, 3600, Reload::NewSessions,
           "Give up on a client that takes nothing of a page or file for this long"},
    Option{"foreground", 'f', "", &Config::foreground, 0, 0, Reload::Restart,
           "Stay in the foreground, as is the default"},
    Option{"verbose", 'v', "", &Config::verbose, 0, 0, Reload::NewSessions,
           "Log requests and the steps of every session as well"},
    Option{"help", 'h', "", &Config::help, 0, 0, Reload::Restart,
           "Print this help and exit"},
    Option{"version", 0, "", &Config::version, 0, 0, Reload::Restart,
           "Print the version and exit"},
    // clang-format on
};

}  // namespace

std::span<const Option> options() { return kOptions; }

}  // namespace wsproxy::config
