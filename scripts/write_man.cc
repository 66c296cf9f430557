// Puts the option table between the two marks in a man page: write_man FILE
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "config/help.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::ifstream in(argv[1]);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::string begin = ".\\\" options: made by `make man`, do not edit\n";
  const std::string end = ".\\\" end of options\n";
  const auto first = text.find(begin);
  const auto last = text.find(end);
  if (first == std::string::npos || last == std::string::npos || last < first) {
    std::fprintf(stderr, "write_man: %s: the marks around the options are not there\n", argv[1]);
    return 1;
  }
  const auto from = first + begin.size();
  text.replace(from, last - from, wsproxy::config::man_options());
  std::ofstream out(argv[1]);
  out << text << std::flush;
  return out ? 0 : 1;
}
