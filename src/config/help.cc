#include "config/help.h"

#include "config/options.h"
#include "config/text.h"

namespace wsproxy::config {
namespace {

constexpr std::size_t kColumns = 79;
constexpr std::size_t kIndent = 29;

void add_option(std::string& out, const Option& option) {
  std::string names = option.letter != 0 ? std::string("  -") + option.letter + ", " : "      ";
  names += "--" + std::string(option.name);
  if (!option.is_switch()) names += " " + std::string(option.value);
  if (names.size() + 2 > kIndent) {
    out += names + "\n" + std::string(kIndent, ' ');
  } else {
    out += names + std::string(kIndent - names.size(), ' ');
  }
  std::string text(option.help);
  if (const std::string value = default_of(option); !value.empty())
    text += " (default " + value + ")";
  wrap_text(out, kIndent, kColumns, std::string(kIndent, ' '), text);
}

std::string not_yet() {
  std::string names;
  for (const Option& option : options()) {
    if (option.has(kNotYet))
      names += std::string(names.empty() ? "" : ", ") + "--" + std::string(option.name);
  }
  return names;
}

}  // namespace

std::string program_name(const char* argv0) {
  const std::string_view path = argv0 == nullptr ? "" : argv0;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return std::string(name.empty() ? "wsproxy" : name);
}

std::string usage_line(std::string_view program) {
  return std::string(program) + " [options] [ADDR:]PORT TARGET";
}

std::string help_text(std::string_view program) {
  const std::string name(program);
  std::string out = "Usage: " + usage_line(program) + "\n";
  out += "       " + name + " [options] [ADDR:]PORT -- PROGRAM [ARGUMENT...]\n";
  out += "       " + name + " [options] --listen ADDRESS --target TARGET\n";
  out += "       " + name + " --config FILE\n\n";
  out +=
      "Serves a VNC viewer page to web browsers on PORT and relays their WebSockets to\n"
      "the VNC server TARGET: HOST:PORT, [IPV6]:PORT or unix:PATH. Without ADDR it\n"
      "listens on all IPv4 and IPv6 addresses; port 0 picks a free one.\n";
  const Option* previous = nullptr;
  for (const Option& option : options()) {
    if (option.has(kFile) || option.has(kNotYet)) continue;
    if (previous == nullptr || previous->group != option.group)
      out += "\n" + std::string(heading(option.group)) + ":\n";
    previous = &option;
    add_option(out, option);
  }
  out += "\nNot there yet:\n";
  wrap_text(out, 0, kColumns, "      ", not_yet());
  out += "\nExamples:\n";
  out += "  " + name + " 6080 localhost:5900\n";
  out += "  " + name + " --cert=self.pem --ssl-only 6900 localhost:5900\n";
  out += "  " + name + " 6080 -- Xvnc :1 -rfbport 5901\n";
  out +=
      "\n"
      "Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot run, 2 for a wrong\n"
      "command line, 78 for a wrong configuration file. The manual: man wsproxy.\n";
  return out;
}

}  // namespace wsproxy::config
