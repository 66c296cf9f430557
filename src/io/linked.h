// Lists whose members bring their own links: joining and leaving takes no memory, so it cannot fail.
#pragma once

namespace wsproxy::io {

/// In one list at most; leaves it when destroyed. A list is a Linked that nothing derives from.
class Linked {
 public:
  Linked() = default;
  ~Linked() { unlink(); }
  Linked(const Linked&) = delete;
  Linked& operator=(const Linked&) = delete;

  [[nodiscard]] bool is_linked() const { return next_ != this; }
  /// Of a list: its first member, or the list itself when it is empty.
  [[nodiscard]] Linked* first() { return next_; }

  void unlink() {
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = this;
  }
  void append_to(Linked& list) {
    unlink();
    prev_ = list.prev_;
    next_ = &list;
    prev_->next_ = this;
    list.prev_ = this;
  }
  /// Takes all members of `list` over; this one has none yet.
  void take(Linked& list) {
    if (!list.is_linked()) return;
    next_ = list.next_;
    prev_ = list.prev_;
    next_->prev_ = prev_->next_ = this;
    list.next_ = list.prev_ = &list;
  }

 private:
  Linked* prev_ = this;
  Linked* next_ = this;
};

}  // namespace wsproxy::io
