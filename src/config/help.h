// --help, made from the option table.
#pragma once

#include <string>
#include <string_view>

namespace wsproxy::config {

/// What the program was called: the last part of argv[0], or "wsproxy" when that is empty or null.
std::string program_name(const char* argv0);

/// "PROGRAM [options] [ADDR:]PORT TARGET", one line.
std::string usage_line(std::string_view program = "wsproxy");

/// What --help prints, in 80 columns.
std::string help_text(std::string_view program = "wsproxy");

}  // namespace wsproxy::config
