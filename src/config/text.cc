#include "config/text.h"

#include <algorithm>

namespace wsproxy::config {

std::string default_of(const Option& option) {
  if (option.is_switch()) return "";
  const auto values = values_of(Config{}, option);
  if (values.empty() || values.front() == "default") return "";
  return values.front();
}

std::string key_help_of(const Option& option) {
  std::string text(option.help);
  for (const Option& other : options()) {
    const std::string dashed = "--" + std::string(other.name);
    for (auto at = text.find(dashed); at != std::string::npos; at = text.find(dashed, at)) {
      text.erase(at, 2);
    }
  }
  return text;
}

bool is_key(const Option& option) { return !option.has(kCommandLine) && !option.has(kNotYet); }

void wrap_text(std::string& out, std::size_t column, std::size_t columns, std::string_view margin,
               std::string_view text) {
  bool first = column > 0;  // whoever has written up to here has left a blank as well
  while (!text.empty()) {
    const auto space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    if (!first && column > 0 && column + 1 + word.size() > columns) {
      out += '\n';
      column = 0;
    }
    if (column == 0) {
      out += margin;
      column = margin.size();
    } else if (!first) {
      out += ' ';
      ++column;
    }
    first = false;
    out += word;
    column += word.size();
  }
  out += '\n';
}

}  // namespace wsproxy::config
