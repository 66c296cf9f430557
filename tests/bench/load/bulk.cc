#include <cmath>
#include <vector>

#include "bench/load/browser.h"
#include "bench/load/pattern.h"
#include "bench/load/scenarios.h"
#include "bench/load/target.h"

namespace wsproxy::bench {
namespace {

constexpr int kUpdatesUnderWay = 2;

void add_browsers(Stage& stage, Task task, int usual) {
  const int count = stage.options.connections > 0 ? stage.options.connections : usual;
  for (int i = 0; i < count; ++i) stage.add_browser(task);
}

void add_bulk(Report& report, const Stopwatch::Lap& lap, double bytes) {
  report.add("bytes", bytes);
  report.add("mb_per_s", per(bytes * 1e-6, lap.wall));
  report.add("cpu_s_per_gb", per(lap.proxy * 1e9, bytes));
  add_use(report, lap);
}

// As many small updates as large ones: the logarithm of the size is uniform.
std::uint64_t update_size() {
  const double part = static_cast<double>(random_number() >> 11U) * 0x1p-53;
  return static_cast<std::uint64_t>(200 * std::pow(65536.0 / 200, part));
}

// What a browser has asked for, and how much of it is complete.
struct Viewer {
  std::vector<std::uint64_t> sizes;  // of updates that are under way, oldest first
  std::uint64_t complete = 0;

  void ask(Browser& browser) {
    sizes.push_back(update_size());
    browser.request(sizes.back());
  }
  // The oldest is complete when no more is missing than the later ones.
  bool take(std::uint64_t missing) {
    std::uint64_t later = 0;
    for (std::size_t i = 1; i < sizes.size(); ++i) later += sizes[i];
    if (sizes.empty() || missing > later) return false;
    sizes.erase(sizes.begin());
    ++complete;
    return true;
  }
};

}  // namespace

Stopwatch::Stopwatch(const Stage& stage)
    : stage_(stage), started_(now()), proxy_(stage.proxy.cpu()), own_(own_cpu()) {}

Stopwatch::Lap Stopwatch::lap() const {
  return {now() - started_, stage_.proxy.cpu() - proxy_, own_cpu() - own_};
}

void add_use(Report& report, const Stopwatch::Lap& lap) {
  report.add("proxy_use", per(lap.proxy, lap.wall));
  report.add("own_use", per(lap.own, lap.wall));
}

void watch_progress(Stage& stage, const std::uint64_t& counter) {
  std::uint64_t last = counter;
  double moved_at = now();
  stage.loop.run_until(stage.options.seconds, [&] {
    if (counter != last) moved_at = now();
    last = counter;
    if (now() - moved_at > 2) give_up("nothing moved for 2 s");
    return false;
  });
}

void download(Stage& stage, Report& report) {
  add_browsers(stage, Task::Download, 1);
  stage.open_browsers();
  stage.loop.run_for(stage.options.warmup);
  const auto frames = [&] {
    std::uint64_t sum = 0;
    for (const auto& browser : stage.browsers) sum += browser->frames();
    return sum;
  };
  const Stopwatch watch(stage);
  const std::uint64_t before = stage.count.down_got;
  const std::uint64_t frames_before = frames();
  watch_progress(stage, stage.count.down_got);
  const Stopwatch::Lap lap = watch.lap();
  const auto bytes = static_cast<double>(stage.count.down_got - before);
  const auto framed = static_cast<double>(frames() - frames_before);
  stage.sending_down = false;
  stage.wake_all();
  stage.drain(stage.count.down_got, stage.count.down_sent);
  add_bulk(report, lap, bytes);
  if (!stage.options.raw) report.add("bytes_per_frame", per(bytes, framed));
}

void upload(Stage& stage, Report& report) {
  add_browsers(stage, Task::Upload, 1);
  stage.open_browsers();
  stage.loop.run_for(stage.options.warmup);
  const Stopwatch watch(stage);
  const std::uint64_t before = stage.count.up_got;
  watch_progress(stage, stage.count.up_got);
  const Stopwatch::Lap lap = watch.lap();
  const auto bytes = static_cast<double>(stage.count.up_got - before);
  stage.sending_up = false;
  stage.wake_all();
  stage.drain(stage.count.up_got, stage.count.up_sent);
  add_bulk(report, lap, bytes);
  report.add("cpu_us_per_frame", per(lap.proxy * 1e6 * stage.options.frame, bytes));
}

void updates(Stage& stage, Report& report) {
  add_browsers(stage, Task::Request, 1);
  stage.open_browsers();
  std::vector<Viewer> viewers(stage.browsers.size());
  bool asking = true;
  for (std::size_t i = 0; i < viewers.size(); ++i) {
    stage.browsers[i]->on_update = [&viewer = viewers[i], &asking](Browser& browser) {
      while (viewer.take(browser.missing())) {
        if (asking) viewer.ask(browser);
      }
    };
    for (int k = 0; k < kUpdatesUnderWay; ++k) viewers[i].ask(*stage.browsers[i]);
  }
  const auto complete = [&] {
    std::uint64_t sum = 0;
    for (const Viewer& viewer : viewers) sum += viewer.complete;
    return sum;
  };
  stage.loop.run_for(stage.options.warmup);
  const Stopwatch watch(stage);
  const std::uint64_t before = stage.count.down_got;
  const std::uint64_t complete_before = complete();
  watch_progress(stage, stage.count.down_got);
  const Stopwatch::Lap lap = watch.lap();
  const auto bytes = static_cast<double>(stage.count.down_got - before);
  const auto count = static_cast<double>(complete() - complete_before);
  asking = false;
  stage.drain(stage.count.down_got, stage.count.down_sent);
  add_bulk(report, lap, bytes);
  report.add("updates_per_s", per(count, lap.wall));
  report.add("cpu_us_per_update", per(lap.proxy * 1e6, count));
}

}  // namespace wsproxy::bench
