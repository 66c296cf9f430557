// The shell's completion, scripts/wsproxy.bash-completion, made from the option table.
#pragma once

#include <string>

namespace wsproxy::config {

/// A script for bash: names of options, choices, files and directories.
std::string bash_completion();

}  // namespace wsproxy::config
