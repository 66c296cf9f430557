#include "config/command_line.h"

#include <charconv>
#include <string>
#include <vector>

#include "config/options.h"

namespace wsproxy::config {
namespace {

std::unexpected<Error> usage(std::string text) { return fail(Errc::Usage, std::move(text)); }

bool takes_value(const Option& option) { return !option.value.empty(); }

Result<const Option*> find_long(std::string_view name) {
  const Option* found = nullptr;
  std::string candidates;
  for (const Option& option : options()) {
    if (option.name == name) return &option;
    if (!option.name.starts_with(name)) continue;
    candidates += (found == nullptr ? "--" : ", --") + std::string(option.name);
    if (found != nullptr && !name.empty()) {
      found = nullptr;
      return usage("option --" + std::string(name) + " is ambiguous: " + candidates);
    }
    found = &option;
  }
  if (found == nullptr || name.empty()) return usage("unknown option --" + std::string(name));
  return found;
}

Result<const Option*> find_short(char letter) {
  for (const Option& option : options()) {
    if (option.letter == letter && letter != 0) return &option;
  }
  return usage(std::string("unknown option -") + letter);
}

Result<std::chrono::seconds> read_seconds(const Option& option, std::string_view text) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < option.min || value > option.max) {
    return usage("--" + std::string(option.name) + ": '" + std::string(text) +
                 "' is not a number from " + std::to_string(option.min) + " to " +
                 std::to_string(option.max));
  }
  return std::chrono::seconds(value);
}

Status assign(Config& config, const Option& option, std::string_view value) {
  if (const auto* flag = std::get_if<bool Config::*>(&option.member)) {
    config.** flag = true;
  } else if (const auto* text = std::get_if<std::string Config::*>(&option.member)) {
    if (value.empty()) return usage("--" + std::string(option.name) + ": the value is empty");
    config.** text = value;
  } else {
    const auto seconds = read_seconds(option, value);
    if (!seconds) return std::unexpected(seconds.error());
    config.*std::get<std::chrono::seconds Config::*>(option.member) = *seconds;
  }
  return {};
}

class Parser {
 public:
  explicit Parser(std::span<const char* const> arguments) : arguments_(arguments) {}

  Result<Config> run() {
    while (!arguments_.empty()) {
      const std::string_view argument = take();
      Status status;
      if (argument == "--") return usage("running a program behind -- is not possible yet");
      if (argument.starts_with("--")) {
        status = long_option(argument.substr(2));
      } else if (argument.size() > 1 && argument.starts_with('-')) {
        status = letters(argument.substr(1));
      } else {
        positionals_.emplace_back(argument);
      }
      if (!status) return std::unexpected(status.error());
    }
    if (config_.help || config_.version) return config_;
    return finish();
  }

 private:
  std::string_view take() {
    const char* argument = arguments_.front();
    arguments_ = arguments_.subspan(1);
    return argument;
  }

  Status long_option(std::string_view text) {
    const auto equals = text.find('=');
    const auto option = find_long(text.substr(0, equals));
    if (!option) return std::unexpected(option.error());
    const std::string name = "--" + std::string((*option)->name);
    if (!takes_value(**option)) {
      if (equals != std::string_view::npos) return usage(name + " takes no value");
      return assign(config_, **option, "");
    }
    if (equals != std::string_view::npos) return assign(config_, **option, text.substr(equals + 1));
    if (arguments_.empty()) return usage(name + " needs a value: " + std::string((*option)->value));
    return assign(config_, **option, take());
  }

  Status letters(std::string_view text) {
    for (const char letter : text) {
      const auto option = find_short(letter);
      if (!option) return std::unexpected(option.error());
      if (const Status status = assign(config_, **option, ""); !status) return status;
    }
    return {};
  }

  Result<Config> finish() {
    if (positionals_.size() < 2) {
      return usage(positionals_.empty()
                       ? "expected [ADDR:]PORT and a target"
                       : "expected a target HOST:PORT behind '" + positionals_[0] + "'");
    }
    if (positionals_.size() > 2) return usage("too many arguments: '" + positionals_[2] + "'");
    auto listen = parse_host_port(positionals_[0], true);
    if (!listen) return usage("listen address " + listen.error().text);
    config_.listen = std::move(*listen);
    config_.target = positionals_[1];
    if (!config_.key.empty() && config_.cert.empty()) return usage("--key needs --cert");
    if (config_.ssl_only && config_.cert.empty()) config_.cert = "self.pem";
    return config_;
  }

  std::span<const char* const> arguments_;
  std::vector<std::string> positionals_;
  Config config_;
};

}  // namespace

Result<Config> parse_command_line(std::span<const char* const> arguments) {
  return Parser(arguments).run();
}

}  // namespace wsproxy::config
