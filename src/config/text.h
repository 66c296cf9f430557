// Words about options that several of the texts made from the table share.
#pragma once

#include <string>
#include <string_view>

#include "config/options.h"

namespace wsproxy::config {

/// What counts when the option is not given; empty where that goes without saying.
std::string default_of(const Option& option);

/// The option's help in the words of the file: keys have no dashes.
std::string key_help_of(const Option& option);

/// Whether the file takes this option.
bool is_key(const Option& option);

/// Appends `text` to `out` word by word, in lines of at most `columns` that begin with `margin`.
/// `out` stands in `column`, 0 at the beginning of a line; ends with a line end.
void wrap_text(std::string& out, std::size_t column, std::size_t columns, std::string_view margin,
               std::string_view text);

}  // namespace wsproxy::config
