// The option table: one row makes the parsers, --help, both man pages, the sample file, the shell's
// completion and the report of a reload.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "config/config.h"

namespace wsproxy::config {

/// When a changed value counts after a reload.
enum class Reload : std::uint8_t { Now, NewSessions, Restart };

/// The headings that options stand under; the table has them in this order.
enum class Group : std::uint8_t {
  Listening,
  Target,
  Tls,
  Pages,
  Access,
  Sessions,
  Service,
  Logging,
  Websockify,
};
std::string_view heading(Group group);

/// What else a row can be, to be combined with |.
using Trait = unsigned;
inline constexpr Trait kPlain = 0;
inline constexpr Trait kWebsockify = 1;   ///< websockify has it: see parse_arguments() on prefixes
inline constexpr Trait kSecret = 2;       ///< its value is never shown
inline constexpr Trait kCommandLine = 4;  ///< only on the command line
inline constexpr Trait kFile = 8;         ///< only in the file
inline constexpr Trait kNotYet = 16;      ///< refused

/// Where a value goes; its type says how it is read. A bool is a switch without a value, FileMode is
/// octal, a vector takes every value given.
using Member = std::variant<bool Config::*, std::string Config::*, std::chrono::seconds Config::*,
                            int Config::*, FileMode Config::*, std::vector<std::string> Config::*>;

struct Option {
  Group group;
  std::string_view name;   ///< long form, without the dashes
  char letter;             ///< short form, or 0
  std::string_view value;  ///< what the value is called, its choices as "a|b|c", empty for a switch
  Member member;
  int min, max;  ///< of a number, both allowed
  Reload reload;
  Trait traits;
  std::string_view help;  ///< a sentence or more, in the words of --help and the man pages
  /// Said to whoever uses it. Rows may leave it out, which g++ takes for a mistake without the = {}.
  std::string_view warning = {};  // NOLINT(readability-redundant-member-init)

  [[nodiscard]] bool has(Trait trait) const { return (traits & trait) != 0; }
  [[nodiscard]] bool is_switch() const { return value.empty(); }
  [[nodiscard]] bool repeats() const;
};

std::span<const Option> options();

/// The row of that name; the name must be one.
const Option& option_named(std::string_view name);

/// "a|b|c" in its parts; nothing if the option's value is no choice.
std::vector<std::string_view> choices(const Option& option);

/// Reads `text` into the option's member; one more value for a repeatable option.
/// A switch takes yes, no, true, false, on, off, 1 and 0.
/// Errors: Invalid, what is wrong with the value, without the option's name.
Status assign(Config& config, const Option& option, std::string_view text);

/// The option's values as assign() reads them: one, or any number for a repeatable option.
/// A string that is not set has none.
std::vector<std::string> values_of(const Config& config, const Option& option);

/// Copies one option's value.
void copy(const Option& option, const Config& from, Config& to);

struct Change {
  std::string_view option;
  Reload reload;
};

/// The options whose values differ, in the table's order. Values are not told, some are secret.
std::vector<Change> describe_changes(const Config& before, const Config& after);

/// For a reload: `after` gets what `before` has for every option that only a restart changes, and the
/// target as well when what relays to it is such an option (`wrap`). The options that would have changed,
/// in the table's order.
std::vector<std::string_view> keep_until_restart(const Config& before, Config& after);

}  // namespace wsproxy::config
