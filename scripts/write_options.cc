// Writes everything in the repository that is made from the option table; run from its top.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "config/completion.h"
#include "config/man_text.h"
#include "config/sample.h"

namespace {

bool write_file(const char* path, const std::string& text) {
  std::ofstream out(path);
  out << text << std::flush;
  if (!out) std::perror(path);
  return static_cast<bool>(out);
}

// Puts `text` between the two marks in a man page.
bool write_section(const char* path, const std::string& text) {
  std::ifstream in(path);
  std::string page((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::string begin = ".\\\" options: made by `make man`, do not edit\n";
  const std::string end = ".\\\" end of options\n";
  const auto first = page.find(begin);
  const auto last = page.find(end);
  if (first == std::string::npos || last == std::string::npos || last < first) {
    std::fprintf(stderr, "%s: the marks around the options are not there\n", path);
    return false;
  }
  const auto from = first + begin.size();
  return write_file(path, page.replace(from, last - from, text));
}

}  // namespace

int main() {
  using namespace wsproxy::config;
  const bool written = write_section("man/wsproxy.8", man_options()) &&
                       write_section("man/wsproxy.conf.5", man_keys()) &&
                       write_file("systemd/wsproxy.conf", sample_file()) &&
                       write_file("scripts/wsproxy.bash-completion", bash_completion());
  return written ? 0 : 1;
}
