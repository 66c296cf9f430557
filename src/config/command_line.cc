#include "config/command_line.h"

#include <string>
#include <utility>
#include <vector>

#include "config/nearest.h"
#include "config/options.h"

namespace wsproxy::config {
namespace {

std::unexpected<Error> usage(std::string text) { return fail(Errc::Usage, std::move(text)); }

Result<const Option*> find_long(std::string_view name) {
  std::vector<const Option*> fitting;
  std::vector<const Option*> of_websockify;
  for (const Option& option : options()) {
    if (option.has(kFile)) continue;
    if (option.name == name) return &option;
    if (name.empty() || !option.name.starts_with(name)) continue;
    fitting.push_back(&option);
    if (option.has(kWebsockify)) of_websockify.push_back(&option);
  }
  if (fitting.empty())
    return usage("unknown option --" + std::string(name) + did_you_mean(name, "--", kFile));
  if (fitting.size() == 1) return fitting.front();
  if (of_websockify.size() == 1) return of_websockify.front();
  std::string candidates;
  for (const Option* option : fitting)
    candidates += (candidates.empty() ? "--" : ", --") + std::string(option->name);
  return usage("option --" + std::string(name) + " is ambiguous: " + candidates);
}

Result<const Option*> find_short(char letter) {
  for (const Option& option : options()) {
    if (option.letter == letter && letter != 0) return &option;
  }
  return usage(std::string("unknown option -") + letter);
}

class Parser {
 public:
  explicit Parser(std::span<const char* const> arguments) : rest_(arguments) {}

  Result<Arguments> run() {
    while (!rest_.empty()) {
      const std::string_view argument = take();
      Status status;
      if (argument == "--") {
        status = program();
      } else if (argument.starts_with("--")) {
        status = long_option(argument.substr(2));
      } else if (argument.size() > 1 && argument.starts_with('-')) {
        status = letters(argument.substr(1));
      } else {
        result_.positionals.emplace_back(argument);
      }
      if (!status) return std::unexpected(status.error());
    }
    return std::move(result_);
  }

 private:
  std::string_view take() {
    const char* argument = rest_.front();
    rest_ = rest_.subspan(1);
    return argument;
  }

  Status give(const Option& option, std::string_view value) {
    const std::string name = "--" + std::string(option.name);
    if (option.has(kNotYet)) {
      const bool python_class = option.name.ends_with("-plugin") && value.contains('.');
      return usage(python_class ? name + ": '" + std::string(value) +
                                      "' is a Python class, which cannot be loaded"
                                : name + " is not there yet");
    }
    if (const Status status = assign(result_.values.config, option, value); !status)
      return usage(name + ": " + status.error().text);
    result_.values.given[option.name] = "";
    return {};
  }

  Status program() {
    if (rest_.empty()) return usage("expected a program behind --");
    for (const char* argument : std::exchange(rest_, {})) {
      result_.values.config.wrap.emplace_back(argument);
    }
    result_.values.given["wrap"] = "";
    return {};
  }

  Status long_option(std::string_view text) {
    const auto equals = text.find('=');
    const auto option = find_long(text.substr(0, equals));
    if (!option) return std::unexpected(option.error());
    const std::string name = "--" + std::string((*option)->name);
    if ((*option)->is_switch()) {
      if (equals != std::string_view::npos) return usage(name + " takes no value");
      return give(**option, "yes");
    }
    if (equals != std::string_view::npos) return give(**option, text.substr(equals + 1));
    if (rest_.empty()) return usage(name + " needs a value: " + std::string((*option)->value));
    return give(**option, take());
  }

  Status letters(std::string_view text) {
    for (const char letter : text) {
      const auto option = find_short(letter);
      if (!option) return std::unexpected(option.error());
      if (const Status status = give(**option, "yes"); !status) return status;
    }
    return {};
  }

  std::span<const char* const> rest_;
  Arguments result_;
};

}  // namespace

Result<Arguments> parse_arguments(std::span<const char* const> arguments) {
  return Parser(arguments).run();
}

Result<Config> parse_command_line(std::span<const char* const> arguments, bool inherited_sockets) {
  auto parsed = parse_arguments(arguments);
  if (!parsed) return std::unexpected(parsed.error());
  return combine(*std::move(parsed), {}, inherited_sockets);
}

}  // namespace wsproxy::config
