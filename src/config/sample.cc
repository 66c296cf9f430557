#include "config/sample.h"

#include "config/options.h"
#include "config/text.h"

namespace wsproxy::config {
namespace {

constexpr std::size_t kColumns = 79;

// What stands behind "key =": the default, or else what the value is called.
std::string example_of(const Option& option) {
  const auto values = values_of(Config{}, option);
  return values.empty() ? std::string(option.value) : values.front();
}

}  // namespace

std::string sample_file() {
  std::string out =
      "# Configuration of wsproxy, see wsproxy.conf(5). Take a # away to use its line.\n"
      "# Values are the defaults; words in capitals stand for values of your own.\n"
      "# \"wsproxy --check\" says whether all is well; after SIGHUP wsproxy goes by it.\n";
  const Option* previous = nullptr;
  for (const Option& option : options()) {
    if (!is_key(option)) continue;
    if (previous == nullptr || previous->group != option.group) {
      const std::string title(heading(option.group));
      out += "\n\n# --- " + title + " " + std::string(kColumns - 7 - title.size(), '-') + "\n";
    }
    previous = &option;
    out += "\n";
    std::string text = key_help_of(option) + ".";
    if (const auto words = choices(option); !words.empty())
      text += " One of: " + std::string(option.value) + ".";
    wrap_text(out, 0, kColumns, "# ", text);
    out += "#" + std::string(option.name) + " = " + example_of(option) + "\n";
  }
  return out;
}

}  // namespace wsproxy::config
