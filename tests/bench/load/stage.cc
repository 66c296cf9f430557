#include "bench/load/stage.h"

#include <algorithm>
#include <string>

#include "bench/load/browser.h"
#include "bench/load/pattern.h"
#include "bench/load/report.h"
#include "bench/load/target.h"

namespace wsproxy::bench {
namespace {

constexpr double kOpenWithin = 60;  // seconds, for all browsers
constexpr double kSilence = 2;      // without a byte: what is missing is lost
constexpr double kDrainWithin = 5;

}  // namespace

Stage::Stage(Options given)
    : options(std::move(given)),
      proxy(options.pids),
      target(std::make_unique<TargetServer>(*this)),
      tls(options.tls ? std::make_unique<TlsClient>() : nullptr) {}

Stage::~Stage() = default;

Browser& Stage::add_browser(Task task) {
  const auto id = static_cast<std::uint32_t>(browsers.size());
  return *browsers.emplace_back(std::make_unique<Browser>(*this, task, id));
}

void Stage::open_browsers(std::size_t from) {
  std::size_t next = from;
  std::size_t open = from;
  for (std::size_t i = from; i < browsers.size(); ++i) {
    browsers[i]->on_open = [&open](Browser& browser) {
      ++open;
      browser.send_hello();
    };
  }
  const auto at_once = static_cast<std::size_t>(options.concurrent);
  const bool all = loop.run_until(kOpenWithin, [&] {
    for (; next < browsers.size() && next - open < at_once; ++next) browsers[next]->start();
    return open == browsers.size();
  });
  const bool known = all && loop.run_until(kOpenWithin, [&] {
    return std::ranges::all_of(browsers,
                               [](const auto& browser) { return browser->target != nullptr; });
  });
  if (!known) {
    give_up("opened " + std::to_string(open) + " of " + std::to_string(browsers.size()) +
            " sessions");
  }
  for (const auto& browser : browsers) browser->on_open = nullptr;
}

void Stage::wake_all() {
  for (const auto& browser : browsers) {
    browser->rearm();
    if (browser->target != nullptr) browser->target->rearm();
  }
}

void Stage::drain(const std::uint64_t& got, const std::uint64_t& sent) {
  std::uint64_t last = got;
  double moved_at = now();
  loop.run_until(kDrainWithin, [&] {
    if (got != last) moved_at = now();
    last = got;
    if (now() - moved_at > kSilence) {
      give_up("of " + std::to_string(sent) + " bytes " + std::to_string(sent - got) +
              " did not arrive");
    }
    return got == sent;
  });
}

}  // namespace wsproxy::bench
