#include "bench/load/options.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <variant>

namespace wsproxy::bench {
namespace {

using Member =
    std::variant<bool Options::*, int Options::*, double Options::*, std::string Options::*>;

struct Row {
  std::string_view name;
  Member member;
};

constexpr Row kRows[] = {
    {"tls", &Options::tls},
    {"raw", &Options::raw},
    {"resume", &Options::resume},
    {"upwards", &Options::upwards},
    {"seconds", &Options::seconds},
    {"warmup", &Options::warmup},
    {"cpu", &Options::cpu},
    {"connections", &Options::connections},
    {"concurrent", &Options::concurrent},
    {"rate", &Options::rate},
    {"streams", &Options::streams},
    {"sessions", &Options::sessions},
    {"frame", &Options::frame},
    {"transfer", &Options::transfer},
    {"stalled", &Options::stalled},
    {"path", &Options::path},
    {"file", &Options::file},
};

[[noreturn]] void usage() {
  std::fputs("usage: bench_load SCENARIO [NAME=VALUE]...\nnames:", stderr);
  for (const Row& row : kRows) std::fprintf(stderr, " %s", row.name.data());
  std::fputs(
      "\nPrints \"target PORT\", where the proxy is to connect to, and reads \"PORT PID...\" of "
      "the proxy;\n"
      "then measures and prints a line of JSON. Exit status 0: every byte was right.\n",
      stderr);
  std::exit(2);
}

template <typename T>
bool read_number(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out >= 0;
}

bool set(Options& options, const Member& member, std::string_view value) {
  if (const auto* flag = std::get_if<bool Options::*>(&member)) {
    options.*(*flag) = value == "1";
    return value == "1" || value == "0";
  }
  if (const auto* number = std::get_if<int Options::*>(&member)) {
    return read_number(value, options.*(*number));
  }
  if (const auto* number = std::get_if<double Options::*>(&member)) {
    return read_number(value, options.*(*number));
  }
  options.*std::get<std::string Options::*>(member) = value;
  return true;
}

bool parse_option(Options& options, std::string_view argument) {
  const std::size_t equals = argument.find('=');
  if (equals == std::string_view::npos) return false;
  for (const Row& row : kRows) {
    if (row.name == argument.substr(0, equals)) {
      return set(options, row.member, argument.substr(equals + 1));
    }
  }
  return false;
}

}  // namespace

Options parse_options(int count, char** arguments) {
  if (count < 2) usage();
  Options options;
  options.scenario = arguments[1];
  for (int i = 2; i < count; ++i) {
    if (!parse_option(options, arguments[i])) usage();
  }
  return options;
}

}  // namespace wsproxy::bench
