#include "server/session_lines.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"

namespace wsproxy::server {
namespace {

// So many lines fit into a pipe of 64 KiB; its reader gets a moment before the next ones.
constexpr std::size_t kLinesAtOnce = 100;
constexpr auto kLinesEvery = std::chrono::milliseconds(20);

}  // namespace

SessionLines::SessionLines(io::EventLoop& loop) : timer_(loop.timers(), [this] { log_some(); }) {}

void SessionLines::log(std::vector<std::string> lines) {
  lines_ = std::move(lines);
  std::ranges::reverse(lines_);
  log_some();
}

void SessionLines::log_some() {
  for (std::size_t i = 0; i < kLinesAtOnce && !lines_.empty(); ++i) {
    log::info("%s", lines_.back().c_str());
    lines_.pop_back();
  }
  if (!lines_.empty()) timer_.arm(kLinesEvery);
}

}  // namespace wsproxy::server
