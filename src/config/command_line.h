// The command line, as websockify takes it.
#pragma once

#include <span>
#include <string_view>

#include "base/error.h"
#include "config/config.h"
#include "config/values.h"

namespace wsproxy::config {

/// Reads the command line alone, the program's name not included: what it says, option by option.
///
/// Options may stand before, between and behind the positionals: "--name value", "--name=value",
/// any unambiguous prefix of a name, bundled letters ("-fv"). The last of several counts, but for
/// options that may be repeated. A prefix that fits several options means the one among them that
/// websockify has, if it is only one. Everything behind "--" is a program and its arguments.
/// Errors: Usage, naming the option or argument.
Result<Arguments> parse_arguments(std::span<const char* const> arguments);

/// The configuration that a command line makes without any file.
///
/// `[ADDR:]PORT TARGET`; PORT is left out with --listen, --unix-listen, --inetd or
/// `inherited_sockets`, TARGET with --target, --unix-target or a program behind "--".
/// With --help or --version both may be missing and nothing is checked.
Result<Config> parse_command_line(std::span<const char* const> arguments,
                                  bool inherited_sockets = false);

}  // namespace wsproxy::config
