// What one source of options says, the command line or a file, and how two become a configuration.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/config.h"

namespace wsproxy::config {

struct Values {
  Config config;  ///< defaults, but for what was given
  /// The options given, and where: "FILE:LINE", or empty for the command line.
  std::map<std::string_view, std::string> given;

  [[nodiscard]] bool has(std::string_view option) const { return given.contains(option); }
};

struct Arguments {
  Values values;
  std::vector<std::string> positionals;
};

/// The configuration in effect: what `arguments` say wins over what `file` says.
///
/// Works out what several options mean together, see Config and parse_command_line().
/// `inherited_sockets`: the service manager has passed sockets, which are listened on when no
/// address is given.
/// Errors: Usage, or Config when the option to blame stands in the file; they name it.
Result<Config> combine(Arguments arguments, const Values& file, bool inherited_sockets);

}  // namespace wsproxy::config
