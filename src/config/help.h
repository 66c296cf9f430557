// --help and the man page's OPTIONS, made from the option table.
#pragma once

#include <string>

namespace wsproxy::config {

/// "wsproxy [options] [ADDR:]PORT TARGET", one line.
std::string usage_line();

/// What --help prints, in 80 columns.
std::string help_text();

/// The OPTIONS section of man/wsproxy.8, as mdoc items.
std::string man_options();

}  // namespace wsproxy::config
