// The option table: one row makes the parser, --help and the man page.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "config/config.h"

namespace wsproxy::config {

/// When a changed value counts after a reload.
enum class Reload : std::uint8_t { NewSessions, Restart };

/// Where a value goes; its type says how it is read. A bool is a switch without a value.
using Member = std::variant<bool Config::*, std::string Config::*, std::chrono::seconds Config::*>;

struct Option {
  std::string_view name;   ///< long form, without the dashes
  char letter;             ///< short form, or 0
  std::string_view value;  ///< what the value is called, or empty for a switch
  Member member;
  int min, max;  ///< of a number, both allowed
  Reload reload;
  std::string_view help;  ///< one sentence, in the words of --help and the man page
};

std::span<const Option> options();

}  // namespace wsproxy::config
