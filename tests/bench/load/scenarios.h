// What is done to a proxy; each scenario measures for `seconds` and reports what a unit of its work costs.
#pragma once

#include <string_view>

#include "bench/load/report.h"
#include "bench/load/stage.h"

namespace wsproxy::bench {

/// bulk.cc, with figures cpu_s_per_gb, mb_per_s
void download(Stage& stage, Report& report);
void upload(Stage& stage, Report& report);
/// A desktop in use: a request of 10 bytes, an update of 200 bytes to 64 KiB, two of them under way.
void updates(Stage& stage, Report& report);  ///< cpu_us_per_update as well

/// latency.cc, with cpu_us_per_echo and the latencies
void closed_loop(Stage& stage,
                 Report& report);  ///< every connection waits for its echo, then sends
void steady_rate(Stage& stage,
                 Report& report);  ///< so many a second; latency from when each was due
void beside_streams(Stage& stage, Report& report);  ///< the same while others stream at full speed

/// sessions.cc
void connecting(Stage& stage, Report& report);   ///< open, greeting, close: cpu_us_per_session
void idle_memory(Stage& stage, Report& report);  ///< after a transfer: idle_bytes_per_session
void growing(Stage& stage,
             Report& report);  ///< few or many sessions, the same messages: cpu_us_per_echo
void quiet(Stage& stage, Report& report);  ///< nothing happens: cpu_s, pings

/// stalled.cc: one side reads nothing; growth_bytes
void stalled(Stage& stage, Report& report);

/// files.cc: GET on connections that are kept; cpu_us_per_request
void files(Stage& stage, Report& report);

/// CPU time between two moments.
class Stopwatch {
 public:
  explicit Stopwatch(const Stage& stage);

  struct Lap {
    double wall = 0;  ///< seconds, all of them
    double proxy = 0;
    double own = 0;
  };
  [[nodiscard]] Lap lap() const;

 private:
  const Stage& stage_;
  double started_;
  double proxy_;
  double own_;
};

/// How busy both programs were: near 1, that one is what limits the speed.
void add_use(Report& report, const Stopwatch::Lap& lap);

/// Turns for `seconds`; gives up when `counter` stands still for 2 s.
void watch_progress(Stage& stage, const std::uint64_t& counter);

inline double per(double sum, double count) { return count > 0 ? sum / count : -1; }

}  // namespace wsproxy::bench
