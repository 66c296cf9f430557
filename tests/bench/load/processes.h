// CPU time and memory of the proxy, read from outside.
#pragma once

#include <cstdint>
#include <vector>

namespace wsproxy::bench {

/// Processes and all that they have started, however often that changes.
class Processes {
 public:
  explicit Processes(std::vector<int> roots) : roots_(std::move(roots)) {}

  /// Seconds of CPU time, user and system, in all; what has ended and was waited for counts as well.
  [[nodiscard]] double cpu() const;
  /// The same of each root alone, for how work spreads.
  [[nodiscard]] std::vector<double> cpu_of_each() const;
  /// Bytes, with what several share divided among them (PSS), but for what is mapped from files: programs that
  /// come and go elsewhere change the share in those.
  [[nodiscard]] double memory() const;

 private:
  std::vector<int> roots_;
};

/// Seconds of CPU time of this process.
double own_cpu();

}  // namespace wsproxy::bench
