#include "io/event_loop.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/check.h"

namespace wsproxy::io {
namespace {

std::uint32_t to_epoll(Interest interest) {
  return (interest.read ? EPOLLIN : 0U) | (interest.write ? EPOLLOUT : 0U) |
         (interest.hang_up ? EPOLLRDHUP : 0U) | (interest.error ? EPOLLERR : 0U);
}

// Rounded up: waking a moment before a timer is due would be a turn for nothing.
int to_milliseconds(Duration duration) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<int>(std::min<decltype(ms)>(ms, 60'000));
}

}  // namespace

EventLoop::EventLoop(const Clock& clock)
    : clock_(clock), epoll_(::epoll_create1(EPOLL_CLOEXEC)), timers_(clock) {
  CHECK(epoll_);
}

void EventLoop::run() {
  while (!stopped_) turn(std::chrono::minutes(1));
}

void EventLoop::turn(Duration limit) {
  if (!deferred_.empty()) limit = Duration::zero();
  if (const auto next = timers_.next_in()) limit = std::min(limit, *next);
  const int count = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()),
                                 to_milliseconds(limit));
  CHECK(count >= 0 || errno == EINTR);
  dispatch(static_cast<std::size_t>(std::max(count, 0)));
  timers_.run();
  for (auto& work : std::exchange(deferred_, {})) work();
}

void EventLoop::dispatch(std::size_t count) {
  received_ = count;
  for (current_ = 0; current_ < received_; ++current_) {
    const epoll_event event = events_[current_];
    auto* watch = static_cast<Watch*>(event.data.ptr);
    if (watch == nullptr) continue;  // destroyed by a callback earlier in this turn
    watch->callback_({.read = (event.events & EPOLLIN) != 0,
                      .write = (event.events & EPOLLOUT) != 0,
                      .hang_up = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0});
  }
  received_ = 0;
}

void EventLoop::forget(const Watch& watch) {
  for (std::size_t i = current_; i < received_; ++i) {
    if (events_[i].data.ptr == &watch) events_[i].data.ptr = nullptr;
  }
}

void EventLoop::update(Watch& watch, Interest interest) {
  const std::uint32_t before = to_epoll(watch.interest_);
  const std::uint32_t after = to_epoll(interest);
  if (after == 0) forget(watch);
  epoll_event event{};
  event.events = after;
  event.data.ptr = &watch;
  const int operation = before == 0 ? EPOLL_CTL_ADD : after == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  CHECK(::epoll_ctl(epoll_.get(), operation, watch.fd_, &event) == 0);
}

void Watch::set(Interest interest) {
  if (interest == interest_) return;
  if (fd_ >= 0) loop_.update(*this, interest);
  interest_ = interest;
}

}  // namespace wsproxy::io
