#include <algorithm>
#include <string>
#include <vector>

#include "bench/load/browser.h"
#include "bench/load/scenarios.h"
#include "bench/load/target.h"

namespace wsproxy::bench {
namespace {

constexpr double kSettle = 0.5;                  // seconds; what is freed late is freed by then
constexpr std::uint64_t kStuck = 5'000'000'000;  // ns for a session to open
constexpr std::uint64_t kCloseWithin = 1'000'000'000;  // ns for the proxy to answer a Close
constexpr std::size_t kProbes = 100;  // idle sessions that are asked whether they live

void transfer(Stage& stage, std::size_t from, std::size_t to, std::uint64_t size) {
  std::size_t next = from;
  std::size_t done = from;
  for (std::size_t i = from; i < to; ++i) {
    stage.browsers[i]->on_update = [&done](Browser& browser) { done += browser.missing() == 0; };
  }
  const auto at_once = static_cast<std::size_t>(stage.options.concurrent);
  const bool all = stage.loop.run_until(60, [&] {
    for (; next < to && next - done < at_once; ++next) stage.browsers[next]->request(size);
    return done == to;
  });
  if (!all) give_up(std::to_string(to - done) + " transfers did not end");
  for (std::size_t i = from; i < to; ++i) stage.browsers[i]->on_update = nullptr;
}

// One after the other on each of a few connections.
class Visitors {
 public:
  explicit Visitors(Stage& stage) : stage_(stage) {
    for (int i = 0; i < stage.options.concurrent; ++i) add();
  }

  void start() {
    active_ = stage_.browsers.size();
    for (const auto& browser : stage_.browsers) browser->start();
  }
  void stop() { stopped_ = true; }
  // Not within a browser's own callback.
  bool go_on() {
    for (Browser* browser : std::exchange(closed_, {})) {
      if (stopped_) {
        --active_;
      } else {
        browser->start();
      }
    }
    sweep();
    return active_ == 0;
  }

  std::uint64_t done = 0;
  std::uint64_t resumed = 0;
  std::uint64_t hung = 0;  // did not answer a Close in time
  std::vector<std::uint64_t> latencies;

 private:
  void add() {
    Browser& browser = stage_.add_browser(Task::Greeting);
    browser.on_update = [this](Browser& greeted) {
      latencies.push_back(now_ns() - greeted.started_at());
      resumed += greeted.is_resumed();
      greeted.finish();
    };
    browser.on_closed = [this](Browser& closed) {
      ++done;
      closed_.push_back(&closed);
    };
  }
  void sweep() {
    const std::uint64_t time = now_ns();
    for (const auto& browser : stage_.browsers) {
      if (browser->is_finishing() && time - browser->finishing_since() > kCloseWithin) {
        ++hung;
        browser->abandon();
      } else if (!stopped_ && time - browser->started_at() > kStuck) {
        give_up("a session did not open within 5 s");
      }
    }
  }

  Stage& stage_;
  std::size_t active_ = 0;
  bool stopped_ = false;
  std::vector<Browser*> closed_;
};

}  // namespace

void connecting(Stage& stage, Report& report) {
  stage.greeting = true;
  Visitors visitors(stage);
  visitors.start();
  const auto go_on = [&] { return visitors.go_on(); };
  stage.loop.run_until(stage.options.warmup, go_on, 1);
  const Stopwatch watch(stage);
  const std::uint64_t before = visitors.done;
  const std::uint64_t resumed_before = visitors.resumed;
  visitors.latencies.clear();
  stage.loop.run_until(stage.options.seconds, go_on, 1);
  const Stopwatch::Lap lap = watch.lap();
  const auto sessions = static_cast<double>(visitors.done - before);
  visitors.stop();
  if (!stage.loop.run_until(3, go_on, 1)) give_up("sessions did not close");
  if (!stage.loop.run_until(2, [&] { return stage.target->open == 0; })) {
    give_up("connections to the target stay open");
  }
  // What is done after the close, such as the end of a process, belongs to the session that it served.
  const Stopwatch::Lap all = watch.lap();
  const auto total = static_cast<double>(visitors.done - before);
  report.add("sessions_per_s", per(sessions, lap.wall));
  report.add("cpu_us_per_session", per(all.proxy * 1e6, total));
  report.add("resumed", per(static_cast<double>(visitors.resumed - resumed_before), total));
  report.add("hung", static_cast<double>(visitors.hung));
  add_use(report, lap);
  report.add_latencies(std::move(visitors.latencies));
}

void idle_memory(Stage& stage, Report& report) {
  const auto size = static_cast<std::uint64_t>(stage.options.transfer);
  // The first session is not counted: it brings in what all share.
  stage.add_browser(Task::Request);
  stage.open_browsers();
  transfer(stage, 0, 1, size);
  stage.loop.run_for(kSettle);
  const double before = stage.proxy.memory();

  for (int i = 0; i < stage.options.sessions; ++i) stage.add_browser(Task::Request);
  stage.open_browsers(1);
  stage.loop.run_for(kSettle);
  const double open = stage.proxy.memory();
  transfer(stage, 1, stage.browsers.size(), size);
  stage.loop.run_for(2 * kSettle);
  const double idle = stage.proxy.memory();

  const std::size_t probes = std::min(kProbes, stage.browsers.size());
  transfer(stage, stage.browsers.size() - probes, stage.browsers.size(), 1000);
  const double sessions = stage.options.sessions;
  report.add("open_bytes_per_session", (open - before) / sessions);
  report.add("idle_bytes_per_session", (idle - before) / sessions);
  report.add("base_bytes", before);
}

void quiet(Stage& stage, Report& report) {
  for (int i = 0; i < stage.options.sessions; ++i) stage.add_browser(Task::Request);
  stage.open_browsers();
  stage.loop.run_for(2 * kSettle);
  const Stopwatch watch(stage);
  const std::uint64_t before = stage.count.pings;
  stage.loop.run_for(stage.options.seconds, 100);
  const Stopwatch::Lap lap = watch.lap();
  const auto pings = static_cast<double>(stage.count.pings - before);
  report.add("sessions", stage.options.sessions);
  report.add("pings", pings);
  report.add("cpu_s", lap.proxy);
  report.add("cpu_us_per_ping", per(lap.proxy * 1e6, pings));
  add_use(report, lap);
}

}  // namespace wsproxy::bench
