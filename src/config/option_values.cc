// How a value becomes text, and text a value.
#include <algorithm>
#include <array>
#include <charconv>

#include "config/listen_address.h"
#include "config/options.h"

namespace wsproxy::config {
namespace {

std::unexpected<Error> bad_value(std::string_view text, const std::string& wanted) {
  return fail(Errc::Invalid, "'" + std::string(text) + "' is not " + wanted);
}

Result<int> read_number(const Option& option, std::string_view text) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < option.min || value > option.max) {
    return bad_value(
        text, "a number from " + std::to_string(option.min) + " to " + std::to_string(option.max));
  }
  return value;
}

Result<bool> read_switch(std::string_view text) {
  for (const std::string_view yes : {"yes", "true", "on", "1"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"no", "false", "off", "0"}) {
    if (text == no) return false;
  }
  return bad_value(text, "yes or no");
}

Result<FileMode> read_mode(const Option& option, std::string_view text) {
  unsigned bits = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, bits, 8);
  if (error != std::errc() || stop != end || bits > static_cast<unsigned>(option.max)) {
    return bad_value(text, "an octal mode such as 0660");
  }
  return FileMode{bits};
}

std::string octal(FileMode mode) {
  std::array<char, 12> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), mode.bits, 8);
  std::string digits(text.data(), end);
  return std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits;
}

// Reads a value into the member that a row points to, whatever its type.
struct Reader {
  Config& config;
  const Option& option;
  std::string_view text;

  template <typename T>
  Status keep(T Config::* member, Result<T> value) const {
    if (!value) return std::unexpected(value.error());
    config.*member = *std::move(value);
    return {};
  }

  Status operator()(bool Config::* member) const { return keep(member, read_switch(text)); }
  Status operator()(FileMode Config::* member) const {
    return keep(member, read_mode(option, text));
  }
  Status operator()(int Config::* member) const { return keep(member, read_number(option, text)); }
  Status operator()(std::chrono::seconds Config::* member) const {
    const auto number = read_number(option, text);
    if (!number) return std::unexpected(number.error());
    config.*member = std::chrono::seconds(*number);
    return {};
  }
  Status operator()(std::string Config::* member) const {
    if (text.empty()) return fail(Errc::Invalid, "the value is empty");
    const auto words = choices(option);
    if (!words.empty() && std::ranges::find(words, text) == words.end()) {
      std::string list;
      for (const auto word : words)
        list += (list.empty() ? "" : word == words.back() ? " or " : ", ") + std::string(word);
      return bad_value(text, list);
    }
    config.*member = text;
    return {};
  }
  Status operator()(std::vector<std::string> Config::* member) const {
    if (member == &Config::listen) {
      if (auto address = parse_listen_address(text); !address)
        return std::unexpected(address.error());
    }
    if (text.empty() && member != &Config::wrap) return fail(Errc::Invalid, "the value is empty");
    (config.*member).emplace_back(text);
    return {};
  }
};

}  // namespace

Status assign(Config& config, const Option& option, std::string_view text) {
  return std::visit(Reader{config, option, text}, option.member);
}

std::vector<std::string> values_of(const Config& config, const Option& option) {
  struct Writer {
    const Config& config;
    std::vector<std::string> operator()(bool Config::* m) const {
      return {config.*m ? "yes" : "no"};
    }
    std::vector<std::string> operator()(FileMode Config::* m) const { return {octal(config.*m)}; }
    std::vector<std::string> operator()(int Config::* m) const {
      return {std::to_string(config.*m)};
    }
    std::vector<std::string> operator()(std::chrono::seconds Config::* m) const {
      return {std::to_string((config.*m).count())};
    }
    std::vector<std::string> operator()(std::string Config::* m) const {
      if ((config.*m).empty()) return {};
      return {config.*m};
    }
    std::vector<std::string> operator()(std::vector<std::string> Config::* m) const {
      return config.*m;
    }
  };
  return std::visit(Writer{config}, option.member);
}

}  // namespace wsproxy::config
