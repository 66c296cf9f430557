#include "config/help.h"

#include <string_view>

#include "config/options.h"

namespace wsproxy::config {
namespace {

constexpr std::size_t kColumns = 79;
constexpr std::size_t kIndent = 29;

// Appends `text` to `out` as a column that starts at kIndent; `out` stands at `column` now.
void wrap(std::string& out, std::size_t column, std::string_view text) {
  while (!text.empty()) {
    const auto space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    if (column + 1 + word.size() > kColumns) {
      out += "\n" + std::string(kIndent, ' ');
      column = kIndent;
    } else if (column > kIndent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  out += '\n';
}

// What counts when the option is not given; empty where that goes without saying.
std::string default_of(const Option& option) {
  if (option.is_switch()) return "";
  const auto values = values_of(Config{}, option);
  return values.empty() ? "" : values.front();
}

std::string sentence(const Option& option) {
  std::string text(option.help);
  if (const std::string value = default_of(option); !value.empty())
    text += " (default " + value + ")";
  return text;
}

std::string escape_mdoc(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '-') {
      out += "\\-";
    } else if (c == '\\') {
      out += "\\e";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string usage_line() { return "wsproxy [options] [ADDR:]PORT TARGET"; }

std::string help_text() {
  std::string out = "Usage: " + usage_line() + "\n\n";
  out +=
      "Serves a VNC viewer page to web browsers on PORT and relays their WebSockets to\n"
      "the VNC server TARGET: HOST:PORT, [IPV6]:PORT or unix:PATH. Without ADDR it\n"
      "listens on all IPv4 and IPv6 addresses; port 0 picks a free one.\n"
      "\n"
      "Options:\n";
  for (const Option& option : options()) {
    if (option.has(kFile)) continue;
    std::string names = option.letter != 0 ? std::string("  -") + option.letter + ", " : "      ";
    names += "--" + std::string(option.name);
    if (!option.value.empty()) names += " " + std::string(option.value);
    names += "  ";
    if (names.size() > kIndent) {
      out += names.substr(0, names.size() - 2) + "\n" + std::string(kIndent, ' ');
    } else {
      out += names + std::string(kIndent - names.size(), ' ');
    }
    wrap(out, kIndent, sentence(option));
  }
  out +=
      "\n"
      "Examples:\n"
      "  wsproxy 6080 localhost:5900\n"
      "  wsproxy --cert=self.pem --ssl-only 6900 localhost:5900\n"
      "\n"
      "Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot run, 2 for a wrong\n"
      "command line. The manual: man wsproxy.\n";
  return out;
}

std::string man_options() {
  std::string out = ".Bl -tag -width Ds\n";
  for (const Option& option : options()) {
    if (option.has(kFile)) continue;
    out += ".It ";
    if (option.letter != 0) out += std::string("Fl ") + option.letter + " , ";
    out += "Fl Fl " + escape_mdoc(option.name);
    if (!option.value.empty()) out += " Ar " + std::string(option.value);
    // mdoc wants every sentence on a line of its own
    std::string help = escape_mdoc(option.help) + ".";
    for (auto at = help.find(". "); at != std::string::npos; at = help.find(". ", at))
      help[++at] = '\n';
    out += "\n" + help + "\n";
    if (const std::string value = default_of(option); !value.empty()) {
      out += "The default is " + value + ".\n";
    }
  }
  return out + ".El\n";
}

}  // namespace wsproxy::config
