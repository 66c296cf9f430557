// The configuration file, wsproxy.conf(5): "key = value" lines, keys named as the options.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "config/config.h"
#include "config/values.h"

namespace wsproxy::config {

inline constexpr std::size_t kMaxFileBytes = std::size_t{1024} * 1024;
inline constexpr std::size_t kMaxLineBytes = std::size_t{16} * 1024;

/// Reads the text of a file called `name`, line by line. Blank lines and lines that begin with # or
/// ; are skipped. A value is the rest of its line without the blanks around it, or stands in double
/// quotes, with \\ \" \n \r \t and \xHH inside.
///
/// Errors: Config, "NAME:LINE: what is wrong": over `kMaxFileBytes` or a line over `kMaxLineBytes`,
/// bytes that are no text, no "key = value", an unknown key (the nearest one is named), one that
/// belongs on the command line, one given twice, a value that its option does not take.
Result<Values> parse_config_file(std::string_view text, const std::string& name);

/// The text of the regular file `path`, for parse_config_file().
/// Errors: Config, naming the path.
Result<std::string> read_config_file(const std::string& path);

/// The configuration as a file that, read back, gives the same: every key, in the table's order.
/// Strings that are not set and secrets stand there as comments, secrets without their value.
std::string dump_config(const Config& config);

/// `text` as a value in the file: as it is, or in double quotes where it has to be.
std::string quoted_value(std::string_view text);

}  // namespace wsproxy::config
