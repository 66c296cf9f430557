#include "server/service_status.h"

#include <chrono>
#include <utility>

namespace wsproxy::server {
namespace {

constexpr Duration kAtMostEvery = std::chrono::seconds(1);

}  // namespace

ServiceStatus::ServiceStatus(io::EventLoop& loop, std::function<std::string()> text,
                             std::function<void(const std::string&)> send)
    : loop_(loop),
      text_(std::move(text)),
      send_(std::move(send)),
      timer_(loop.timers(), [this] { this->send(); }) {}

void ServiceStatus::changed() {
  if (timer_.armed()) return;
  const SteadyTime now = loop_.clock().now();
  if (!sent_ || now - *sent_ >= kAtMostEvery) {
    timer_.arm(Duration::zero());  // what else changes in this turn comes along
  } else {
    timer_.arm(kAtMostEvery - (now - *sent_));
  }
}

void ServiceStatus::send() {
  std::string text = text_();
  if (text == last_) return;
  sent_ = loop_.clock().now();
  send_(text);
  last_ = std::move(text);
}

}  // namespace wsproxy::server
