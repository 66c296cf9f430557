#include "io/event_loop.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace wsproxy::io {
namespace {

constexpr auto kWatchAgain = std::chrono::milliseconds(100);

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
    : clock_(clock),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timers_(clock),
      watch_again_(timers_, [this] { watch_again(); }),
      undone_(clock, "allocations failed", log::Throttle::kLimit, log::Level::Error) {
  CHECK(epoll_);
}

void EventLoop::run() {
  while (!stopped_) turn(std::chrono::minutes(1));
}

template <typename Call>
void EventLoop::survive(Call call) {
  try {
    call();
  } catch (const std::bad_alloc&) {
    if (undone_.allow()) log::error("out of memory: something was left undone");
  }
}

void EventLoop::turn(Duration limit) {
  if (!deferred_.empty() || to_run_.is_linked()) limit = Duration::zero();
  if (const auto next = timers_.next_in()) limit = std::min(limit, *next);
  const int count = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()),
                                 to_milliseconds(limit));
  CHECK(count >= 0 || errno == EINTR);
  dispatch(static_cast<std::size_t>(std::max(count, 0)));
  survive([this] { timers_.run(); });
  run_deferred();
}

void EventLoop::run_deferred() {
  Linked now;
  now.take(to_run_);
  auto works = std::exchange(deferred_, {});
  while (now.is_linked()) {
    auto* deferred = static_cast<Deferred*>(now.first());
    deferred->unlink();
    survive([deferred] { deferred->work_(); });
  }
  for (auto& work : works) survive([&work] { work(); });
}

void EventLoop::dispatch(std::size_t count) {
  received_ = count;
  for (current_ = 0; current_ < received_; ++current_) {
    const epoll_event event = events_[current_];
    auto* watch = static_cast<Watch*>(event.data.ptr);
    if (watch == nullptr) continue;  // destroyed by a callback earlier in this turn
    survive([&] {
      watch->callback_({.read = (event.events & EPOLLIN) != 0,
                        .write = (event.events & EPOLLOUT) != 0,
                        .hang_up = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0});
    });
  }
  received_ = 0;
}

void EventLoop::forget(const Watch& watch) {
  for (std::size_t i = current_; i < received_; ++i) {
    if (events_[i].data.ptr == &watch) events_[i].data.ptr = nullptr;
  }
}

void EventLoop::update(Watch& watch) {
  const std::uint32_t before = watch.registered_;
  const std::uint32_t after = to_epoll(watch.interest_);
  watch.unlink();
  if (after == 0) forget(watch);
  if (after == before) return;
  epoll_event event{};
  event.events = after;
  event.data.ptr = &watch;
  const int operation = before == 0 ? EPOLL_CTL_ADD : after == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  if (::epoll_ctl(epoll_.get(), operation, watch.fd_, &event) == 0) {
    watch.registered_ = after;
    return;
  }
  CHECK(operation == EPOLL_CTL_ADD && (errno == ENOMEM || errno == ENOSPC));
  const bool many = errno == ENOSPC;
  watch.append_to(unwatched_);
  if (!watch_again_.armed()) watch_again_.arm(kWatchAgain);
  if (std::exchange(shortage_said_, true)) return;
  log::error("cannot watch a connection: %s; trying again every 100 ms",
             many ? "over the limit in /proc/sys/fs/epoll/max_user_watches" : "out of memory");
}

void EventLoop::watch_again() {
  Linked now;
  now.take(unwatched_);
  while (now.is_linked()) update(*static_cast<Watch*>(now.first()));
  if (!unwatched_.is_linked()) shortage_said_ = false;
}

void Watch::set(Interest interest) {
  if (interest == interest_) return;
  interest_ = interest;
  if (fd_ >= 0) loop_.update(*this);
}

}  // namespace wsproxy::io
