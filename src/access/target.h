// Where a session goes.
#pragma once

#include <string_view>

#include "base/error.h"
#include "io/dial.h"

namespace wsproxy::access {

/// Reads a target as people write it: "HOST:PORT", "[V6]:PORT", "unix:PATH".
/// Errors: Usage, with the text.
Result<io::Endpoint> parse_target(std::string_view text);

}  // namespace wsproxy::access
