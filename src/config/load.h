// The configuration in effect, from the command line and the file together.
#pragma once

#include <span>
#include <string>

#include "base/error.h"
#include "config/config.h"

namespace wsproxy::config {

inline constexpr const char* kDefaultFile = "/etc/wsproxy/wsproxy.conf";

/// Reads the command line, the program's name not included, and the file that --config names, or
/// else `default_file` if there is one. A reload calls it again with the same arguments.
///
/// The command line wins: an option on it replaces the file's, all values of a list at once, and
/// what says the same in another way (a target the file's program, --listen its unix-listen).
/// `inherited_sockets`: see parse_command_line().
/// Errors: Usage for the command line; Config for the file, with its name and line.
Result<Config> load(std::span<const char* const> arguments, bool inherited_sockets,
                    const std::string& default_file = kDefaultFile);

}  // namespace wsproxy::config
