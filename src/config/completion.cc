#include "config/completion.h"

#include "config/options.h"

namespace wsproxy::config {
namespace {

// What bash completes a value of this name from; nothing for words of one's own.
std::string completer(const Option& option) {
  if (const auto words = choices(option); !words.empty()) {
    std::string list;
    for (const std::string_view word : words) list += (list.empty() ? "" : " ") + std::string(word);
    return "mapfile -t COMPREPLY < <(compgen -W '" + list + "' -- \"$current\")";
  }
  const auto from = [](const std::string& action) {
    return "mapfile -t COMPREPLY < <(compgen " + action + " -- \"$current\")";
  };
  const std::string names_of_files = "compopt -o filenames 2>/dev/null; ";
  if (option.value == "FILE" || option.value == "PATH") return names_of_files + from("-f");
  if (option.value == "DIR") return names_of_files + from("-d");
  if (option.value == "USER") return from("-u");
  if (option.value == "GROUP") return from("-g");
  return "";
}

}  // namespace

std::string bash_completion() {
  std::string names;
  std::string cases;
  std::string plain;  // options whose values nobody can guess
  for (const Option& option : options()) {
    if (option.has(kFile) || option.has(kNotYet)) continue;
    const std::string name = "--" + std::string(option.name);
    names.append(names.empty() ? "    " : "\n    ").append(name);
    if (option.is_switch()) continue;
    if (const std::string how = completer(option); !how.empty()) {
      cases.append("    ").append(name).append(") ").append(how).append("; return ;;\n");
    } else {
      plain.append(plain.empty() ? "" : " | ").append(name);
    }
  }
  return "# Completion of wsproxy's options in bash: made by `make man`, do not edit.\n"
         "# shellcheck shell=bash disable=SC2207\n"
         "\n"
         "_wsproxy() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} word\n"
         "  local options='\n" +
         names +
         "'\n"
         "  COMPREPLY=()\n"
         "  # behind \"--\" stands a program, and whatever it takes\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD - 1}\"; do\n"
         "    if [[ $word == -- ]]; then\n"
         "      compopt -o filenames 2>/dev/null\n"
         "      mapfile -t COMPREPLY < <(compgen -c -f -- \"$current\")\n"
         "      return\n"
         "    fi\n"
         "  done\n"
         "  # bash takes \"--name=value\" apart\n"
         "  if [[ $current == = ]]; then\n"
         "    current=\n"
         "  elif [[ $option == = ]]; then\n"
         "    option=${COMP_WORDS[COMP_CWORD - 2]}\n"
         "  fi\n"
         "  case $option in\n" +
         cases + "    " + plain +
         ") return ;;\n"
         "  esac\n"
         "  if [[ $current == -* ]]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
         "  fi\n"
         "}\n"
         "\n"
         "complete -F _wsproxy wsproxy websockify\n";
}

}  // namespace wsproxy::config
