#include "io/timer_queue.h"

#include <algorithm>
#include <utility>

namespace wsproxy::io {
namespace {

constexpr std::size_t kFewTimers = 16;

}  // namespace

std::optional<Duration> TimerQueue::next_in() const {
  if (heap_.empty()) return std::nullopt;
  return std::max(heap_.front()->due_ - clock_.now(), Duration::zero());
}

void TimerQueue::run() {
  // what is armed from here on waits for the next turn, even with zero: else it might run for ever
  const SteadyTime now = clock_.now();
  const std::uint64_t last = armed_;
  while (!heap_.empty() && heap_.front()->due_ <= now && heap_.front()->order_ <= last) {
    Timer& timer = *heap_.front();
    remove(timer);
    timer.callback_();
  }
}

bool TimerQueue::before(const Timer& a, const Timer& b) {
  return a.due_ != b.due_ ? a.due_ < b.due_ : a.order_ < b.order_;
}

void TimerQueue::make_room() {
  if (heap_.capacity() <= timers_) heap_.reserve(std::max(2 * timers_, kFewTimers));
  ++timers_;
}

void TimerQueue::insert(Timer& timer) {
  timer.order_ = ++armed_;
  heap_.push_back(&timer);
  timer.index_ = heap_.size() - 1;
  sift_up(timer.index_);
}

void TimerQueue::remove(Timer& timer) {
  const std::size_t index = timer.index_;
  timer.index_ = Timer::kNone;
  Timer* last = heap_.back();
  heap_.pop_back();
  if (index == heap_.size()) return;
  place(index, last);
  sift_up(index);
  sift_down(last->index_);
}

void TimerQueue::place(std::size_t index, Timer* timer) {
  heap_[index] = timer;
  timer->index_ = index;
}

void TimerQueue::sift_up(std::size_t index) {
  Timer* timer = heap_[index];
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (before(*heap_[parent], *timer)) break;
    place(index, heap_[parent]);
    index = parent;
  }
  place(index, timer);
}

void TimerQueue::sift_down(std::size_t index) {
  Timer* timer = heap_[index];
  while (true) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && before(*heap_[child + 1], *heap_[child])) ++child;
    if (before(*timer, *heap_[child])) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, timer);
}

void Timer::arm(Duration after) {
  // moving a timer that is armed re-sorts it in place
  cancel();
  due_ = queue_.clock().now() + after;
  queue_.insert(*this);
}

void Timer::cancel() {
  if (armed()) queue_.remove(*this);
}

}  // namespace wsproxy::io
