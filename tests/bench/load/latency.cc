#include <algorithm>
#include <vector>

#include "bench/load/browser.h"
#include "bench/load/scenarios.h"
#include "bench/load/target.h"

namespace wsproxy::bench {
namespace {

constexpr double kLastEcho = 3;  // seconds to wait for it

std::vector<Browser*> add_echoing(Stage& stage, int count) {
  std::vector<Browser*> added;
  added.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) added.push_back(&stage.add_browser(Task::Echo));
  return added;
}

int connections(const Stage& stage, int usual) {
  return stage.options.connections > 0 ? stage.options.connections : usual;
}

std::size_t waiting(const std::vector<Browser*>& browsers) {
  std::size_t sum = 0;
  for (const Browser* browser : browsers) sum += browser->waiting_echoes();
  return sum;
}

void await_all(Stage& stage, const std::vector<Browser*>& browsers) {
  if (!stage.loop.run_until(kLastEcho, [&] { return waiting(browsers) == 0; }, 1)) {
    give_up("echoes were lost");
  }
}

void add_echoes(Report& report, const Stopwatch::Lap& lap, std::uint64_t echoes) {
  const auto count = static_cast<double>(echoes);
  report.add("echoes_per_s", per(count, lap.wall));
  report.add("cpu_us_per_echo", per(lap.proxy * 1e6, count));
  add_use(report, lap);
}

}  // namespace

/// Sends at a rate whatever comes back, so that a slow answer delays no other: latency counts from when an echo was
/// due.
class Metronome {
 public:
  Metronome(std::vector<Browser*> browsers, double rate)
      : browsers_(std::move(browsers)), period_(static_cast<std::uint64_t>(1e9 / rate)) {
    for (Browser* browser : browsers_) {
      browser->on_echo = [this](std::uint64_t since) {
        if (recording) latencies.push_back(now_ns() - since);
      };
    }
  }

  void start() { due_ = now_ns(); }

  void tick() {
    const std::uint64_t time = now_ns();
    for (int i = 0; i < kAtOnce && due_ <= time; ++i, due_ += period_) {
      browsers_[next_++ % browsers_.size()]->echo(due_);
    }
  }

  [[nodiscard]] const std::vector<Browser*>& browsers() const { return browsers_; }

  bool recording = false;
  std::vector<std::uint64_t> latencies;

 private:
  static constexpr int kAtOnce = 8;  // then answers are looked at

  std::vector<Browser*> browsers_;
  std::size_t next_ = 0;
  std::uint64_t period_;
  std::uint64_t due_ = 0;
};

namespace {

// Two seconds behind: the proxy is overloaded and latencies say nothing.
void check_backlog(const Metronome& metronome, int rate) {
  if (waiting(metronome.browsers()) > static_cast<std::size_t>(2 * rate) + 1000) {
    give_up("overloaded: 2 s behind");
  }
}

Stopwatch::Lap beat(Stage& stage, Metronome& metronome, std::uint64_t& echoes) {
  const auto tick = [&] {
    metronome.tick();
    return false;
  };
  metronome.start();
  stage.loop.run_until(stage.options.warmup, tick, 0);
  const Stopwatch watch(stage);
  const std::uint64_t before = stage.count.echoes;
  metronome.recording = true;
  stage.loop.run_until(stage.options.seconds, tick, 0);
  metronome.recording = false;
  echoes = stage.count.echoes - before;
  return watch.lap();
}

}  // namespace

void closed_loop(Stage& stage, Report& report) {
  const std::vector<Browser*> browsers = add_echoing(stage, connections(stage, 1));
  stage.open_browsers();
  std::vector<std::uint64_t> latencies;
  bool recording = false;
  bool going_on = true;
  for (Browser* browser : browsers) {
    browser->on_echo = [&, browser](std::uint64_t since) {
      const std::uint64_t time = now_ns();
      if (recording) latencies.push_back(time - since);
      if (going_on) browser->echo(time);
    };
  }
  for (Browser* browser : browsers) browser->echo(now_ns());
  stage.loop.run_for(stage.options.warmup, 0);
  const Stopwatch watch(stage);
  const std::uint64_t before = stage.count.echoes;
  recording = true;
  stage.loop.run_for(stage.options.seconds, 0);
  recording = false;
  const Stopwatch::Lap lap = watch.lap();
  const std::uint64_t echoes = stage.count.echoes - before;
  going_on = false;
  await_all(stage, browsers);
  add_echoes(report, lap, echoes);
  report.add_latencies(std::move(latencies));
}

void steady_rate(Stage& stage, Report& report) {
  const int rate = stage.options.rate > 0 ? stage.options.rate : 5000;
  Metronome metronome(add_echoing(stage, connections(stage, 500)), rate);
  stage.open_browsers();
  std::uint64_t echoes = 0;
  const Stopwatch::Lap lap = beat(stage, metronome, echoes);
  check_backlog(metronome, rate);
  await_all(stage, metronome.browsers());
  add_echoes(report, lap, echoes);
  report.add_latencies(std::move(metronome.latencies));
}

void beside_streams(Stage& stage, Report& report) {
  const int rate = stage.options.rate > 0 ? stage.options.rate : 2000;
  Metronome metronome(add_echoing(stage, connections(stage, 10)), rate);
  stage.open_browsers();
  for (Browser* browser : metronome.browsers()) {
    browser->make_urgent();
    browser->target->make_urgent();
  }
  const std::size_t from = stage.browsers.size();
  for (int i = 0; i < stage.options.streams; ++i) {
    stage.add_browser(stage.options.upwards ? Task::Upload : Task::Download);
  }
  stage.open_browsers(from);
  metronome.start();
  stage.loop.set_between([&] { metronome.tick(); });
  const auto streamed = [&] { return stage.count.down_got + stage.count.up_got; };
  const std::uint64_t streamed_before = streamed();
  std::uint64_t echoes = 0;
  const Stopwatch::Lap lap = beat(stage, metronome, echoes);
  const auto bytes = static_cast<double>(streamed() - streamed_before);
  stage.loop.set_between({});
  stage.sending_down = stage.sending_up = false;
  stage.wake_all();
  await_all(stage, metronome.browsers());
  stage.drain(stage.count.down_got, stage.count.down_sent);
  stage.drain(stage.count.up_got, stage.count.up_sent);
  add_echoes(report, lap, echoes);
  report.add("streams_mb_per_s", per(bytes * 1e-6, lap.wall + stage.options.warmup));
  report.add_latencies(std::move(metronome.latencies));
}

// Sessions that all have their turn, however many there are.
void growing(Stage& stage, Report& report) {
  const int rate = stage.options.rate > 0 ? stage.options.rate : 4000;
  // The first is not counted: it brings in what all share.
  add_echoing(stage, 1);
  stage.open_browsers();
  const double before = stage.proxy.memory();
  Metronome metronome(add_echoing(stage, stage.options.sessions), rate);
  stage.open_browsers(1);
  std::uint64_t echoes = 0;
  const Stopwatch::Lap lap = beat(stage, metronome, echoes);
  check_backlog(metronome, rate);
  await_all(stage, metronome.browsers());
  stage.loop.run_for(0.5);
  const double sessions = stage.options.sessions;
  add_echoes(report, lap, echoes);
  report.add("bytes_per_session", per(stage.proxy.memory() - before, sessions));
  report.add_latencies(std::move(metronome.latencies));
}

}  // namespace wsproxy::bench
