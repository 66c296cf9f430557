#include <algorithm>
#include <vector>

#include "bench/load/browser.h"
#include "bench/load/scenarios.h"
#include "bench/load/target.h"

namespace wsproxy::bench {
namespace {

constexpr int kOthers = 4;                       // sessions beside it, which must not notice
constexpr double kSampleEvery = 0.1;             // seconds, of memory
constexpr std::uint64_t kEchoEvery = 1'000'000;  // ns

// Sends an echo on one of them when it is time; true if none is missing.
class Others {
 public:
  explicit Others(Stage& stage) {
    for (int i = 0; i < kOthers; ++i) {
      browsers_.push_back(&stage.add_browser(Task::Echo));
      browsers_.back()->on_echo = [this](std::uint64_t since) {
        latencies.push_back(now_ns() - since);
      };
    }
  }
  void tick() {
    const std::uint64_t time = now_ns();
    if (time < due_) return;
    due_ = time + kEchoEvery;
    browsers_[next_++ % browsers_.size()]->echo(time);
  }
  [[nodiscard]] bool all_back() const {
    return std::ranges::all_of(browsers_,
                               [](const Browser* b) { return b->waiting_echoes() == 0; });
  }
  std::vector<std::uint64_t> latencies;

 private:
  std::vector<Browser*> browsers_;
  std::size_t next_ = 0;
  std::uint64_t due_ = 0;
};

void pause(Browser& browser, bool upwards, bool paused) {
  if (upwards) {
    browser.target->pause(paused);
  } else {
    browser.pause(paused);
  }
}

}  // namespace

void stalled(Stage& stage, Report& report) {
  const bool up = stage.options.upwards;
  Others others(stage);
  Browser& slow = stage.add_browser(up ? Task::Upload : Task::Download);
  const auto limit = static_cast<std::uint64_t>(stage.options.stalled);
  stage.down_limit = limit;
  stage.sending_down = stage.sending_up = false;
  stage.open_browsers();
  pause(slow, up, true);
  stage.loop.run_for(0.2);
  const double before = stage.proxy.memory();
  double most = before;
  const std::uint64_t& sent = up ? stage.count.up_sent : stage.count.down_sent;

  stage.sending_down = stage.sending_up = true;
  stage.wake_all();
  double sample_at = now();
  stage.loop.run_until(
      stage.options.seconds,
      [&] {
        others.tick();
        if (sent >= limit) stage.sending_up = false;
        if (now() < sample_at) return false;
        most = std::max(most, stage.proxy.memory());
        sample_at = now() + kSampleEvery;
        return false;
      },
      1);
  const Stopwatch watch(stage);
  stage.loop.run_for(0.3, 50);
  const Stopwatch::Lap lap = watch.lap();
  most = std::max(most, stage.proxy.memory());
  const auto accepted = static_cast<double>(sent);
  if (!stage.loop.run_until(3, [&] { return others.all_back(); }, 1)) {
    give_up("other sessions hang");
  }

  // What was accepted has to arrive.
  stage.sending_down = stage.sending_up = false;
  pause(slow, up, false);
  stage.wake_all();
  stage.drain(up ? stage.count.up_got : stage.count.down_got, sent);
  report.add("growth_bytes", most - before);
  report.add("accepted_bytes", accepted);
  report.add("stalled_use", per(lap.proxy, lap.wall));
  report.add_latencies(std::move(others.latencies));
}

}  // namespace wsproxy::bench
