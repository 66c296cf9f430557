// What a run has measured, as one line of JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wsproxy::bench {

class Report {
 public:
  void add(std::string_view name, double value);
  /// p50_us, p99_us and so on, of nanoseconds.
  void add_latencies(std::vector<std::uint64_t> nanoseconds);

  void print() const;

 private:
  std::string fields_;
};

/// For what makes a run worthless: prints {"ok":false,"error":WHY} and ends with 1.
[[noreturn]] void give_up(std::string_view why);

}  // namespace wsproxy::bench
