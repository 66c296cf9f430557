#include "config/man_text.h"

#include "config/options.h"
#include "config/text.h"

namespace wsproxy::config {
namespace {

std::string escape(std::string_view text) {
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

// mdoc wants every sentence on a line of its own, and no line over 80 bytes.
std::string sentences(std::string_view text) {
  constexpr std::size_t kColumns = 80;
  const std::string escaped = escape(text) + ". ";
  std::string out;
  std::size_t column = 0;
  for (std::size_t at = 0; at < escaped.size();) {
    const std::string word = escaped.substr(at, escaped.find(' ', at) - at);
    at += word.size() + 1;
    const bool begins = column == 0 || out.ends_with('.');
    if (begins || column + 1 + word.size() > kColumns) {
      if (column > 0) out += '\n';
      if (word.starts_with('.') || word.starts_with('\'')) out += "\\&";  // it is no macro
      column = 0;
    } else {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out + "\n";
}

std::string value_of(const Option& option) {
  const auto words = choices(option);
  if (words.empty()) return "Ar " + escape(option.value);
  std::string text;
  for (const std::string_view word : words)
    text += (text.empty() ? "Cm " : " | ") + std::string(word);
  return text;
}

std::string default_sentence(const Option& option) {
  const std::string value = default_of(option);
  return value.empty() ? "" : "The default is " + escape(value) + ".\n";
}

// One list for every heading; `item` writes an option's into it, or nothing.
template <typename Item>
std::string grouped(Item item) {
  std::string out;
  const Option* previous = nullptr;
  for (const Option& option : options()) {
    const std::string text = item(option);
    if (text.empty()) continue;
    if (previous == nullptr || previous->group != option.group) {
      if (previous != nullptr) out += ".El\n";
      out += ".Ss " + std::string(heading(option.group)) + "\n.Bl -tag -width Ds\n";
    }
    previous = &option;
    out += text;
  }
  return out + ".El\n";
}

}  // namespace

std::string man_options() {
  std::string not_yet;
  for (const Option& option : options()) {
    if (!option.has(kNotYet)) continue;
    not_yet += std::string(not_yet.empty() ? "" : " ,\n") + ".Fl Fl " + escape(option.name);
  }
  return grouped([](const Option& option) {
           if (option.has(kFile) || option.has(kNotYet)) return std::string();
           std::string text = ".It ";
           if (option.letter != 0) text += std::string("Fl ") + option.letter + " , ";
           text += "Fl Fl " + escape(option.name);
           if (!option.is_switch()) text += " " + value_of(option);
           return text + "\n" + sentences(option.help) + default_sentence(option);
         }) +
         ".Pp\nNot there yet, and refused:\n" + not_yet + " .\n";
}

std::string man_keys() {
  return grouped([](const Option& option) {
    if (!is_key(option)) return std::string();
    std::string text = ".It Ic " + escape(option.name) + " No = ";
    text += option.is_switch() ? "Cm yes | no" : value_of(option);
    text += "\n" + sentences(key_help_of(option)) + default_sentence(option);
    if (option.reload == Reload::Restart) text += "A change takes a restart.\n";
    return text;
  });
}

}  // namespace wsproxy::config
