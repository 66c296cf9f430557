// The command line, as websockify takes it.
#pragma once

#include <span>
#include <string_view>

#include "base/error.h"
#include "config/config.h"

namespace wsproxy::config {

/// Reads `[options] [ADDR:]PORT TARGET`, the program's name not included.
///
/// Options may stand before, between and behind the positionals: "--name value", "--name=value",
/// any unambiguous prefix of a name, bundled letters ("-fv"). The last of several counts.
/// With --help or --version the positionals may be missing.
/// Errors: Usage, naming the option or argument.
Result<Config> parse_command_line(std::span<const char* const> arguments);

}  // namespace wsproxy::config
