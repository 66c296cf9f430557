#include "bench/load/report.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

namespace wsproxy::bench {

void Report::add(std::string_view name, double value) {
  char number[32];
  std::snprintf(number, sizeof number, "%.8g", std::isfinite(value) ? value : -1.0);
  fields_ += ",\"" + std::string(name) + "\":" + number;
}

void Report::add_latencies(std::vector<std::uint64_t> nanoseconds) {
  add("samples", static_cast<double>(nanoseconds.size()));
  if (nanoseconds.empty()) return;
  std::sort(nanoseconds.begin(), nanoseconds.end());
  const auto at = [&](double part) {
    const auto index = static_cast<std::size_t>(part * static_cast<double>(nanoseconds.size()));
    return static_cast<double>(nanoseconds[std::min(index, nanoseconds.size() - 1)]) * 1e-3;
  };
  add("p50_us", at(0.5));
  add("p99_us", at(0.99));
  add("p999_us", at(0.999));
  add("max_us", at(1));
}

void Report::print() const {
  std::printf("{\"ok\":true%s}\n", fields_.c_str());
  std::fflush(stdout);
}

void give_up(std::string_view why) {
  std::string text;
  for (const char c : why) {
    if (c == '"' || c == '\\') text += '\\';
    text += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  std::printf("{\"ok\":false,\"error\":\"%s\"}\n", text.c_str());
  std::fflush(stdout);
  ::_exit(1);
}

}  // namespace wsproxy::bench
