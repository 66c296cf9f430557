// What somebody may have meant who misspelt an option.
#pragma once

#include <string>
#include <string_view>

#include "config/options.h"

namespace wsproxy::config {

/// "; did you mean --NAME?" with the name in `dashes`, or nothing when no option is near `name`.
/// Options that have `except` are left out.
std::string did_you_mean(std::string_view name, std::string_view dashes, Trait except);

}  // namespace wsproxy::config
