#include "bench/load/loop.h"

#include <array>
#include <ctime>

namespace wsproxy::bench {
namespace {

epoll_event event_for(Loop::Handler* handler, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  return event;
}

}  // namespace

std::uint64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

double now() { return static_cast<double>(now_ns()) * 1e-9; }

Loop::Loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), urgent_(::epoll_create1(EPOLL_CLOEXEC)) {}

void Loop::add(int fd, Handler& handler, std::uint32_t events) {
  epoll_event event = event_for(&handler, events);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void Loop::change(int fd, Handler& handler, std::uint32_t events, bool urgent) {
  epoll_event event = event_for(&handler, events);
  ::epoll_ctl(urgent ? urgent_.get() : epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Loop::make_urgent(int fd, Handler& handler, std::uint32_t events) {
  if (!has_urgent_) {
    epoll_event wake = event_for(nullptr, EPOLLIN);
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, urgent_.get(), &wake);
    has_urgent_ = true;
  }
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  epoll_event event = event_for(&handler, events);
  ::epoll_ctl(urgent_.get(), EPOLL_CTL_ADD, fd, &event);
}

void Loop::handle_urgent() {
  std::array<epoll_event, 32> events{};
  const int count = ::epoll_wait(urgent_.get(), events.data(), events.size(), 0);
  for (int i = 0; i < count; ++i) {
    static_cast<Handler*>(events[i].data.ptr)->ready(events[i].events);
  }
}

void Loop::turn(int wait_ms) {
  std::array<epoll_event, 128> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), wait_ms);
  if (count <= 0 && between_) between_();
  for (int i = 0; i < count; ++i) {
    auto* handler = static_cast<Handler*>(events[i].data.ptr);
    if (handler != nullptr) handler->ready(events[i].events);
    if (has_urgent_) handle_urgent();
    if (between_) between_();
  }
}

}  // namespace wsproxy::bench
