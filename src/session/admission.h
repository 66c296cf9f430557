// Who is let in: counts WebSockets, and says no when there are enough of them.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>

namespace wsproxy::session {

class Admission {
 public:
  /// `on_left` is called, from a session's destructor, each time a WebSocket has ended, `on_admitted`
  /// each time one was let in.
  explicit Admission(
      std::move_only_function<void()> on_left, std::move_only_function<void()> on_admitted = [] {})
      : on_left_(std::move(on_left)), on_admitted_(std::move(on_admitted)) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// A place for one WebSocket, free again when it is destroyed. Outlived by its Admission.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : admission_(std::exchange(other.admission_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(admission_, other.admission_);
      return *this;
    }
    ~Place() {
      if (admission_ != nullptr) admission_->leave();
    }
    explicit operator bool() const { return admission_ != nullptr; }

   private:
    friend class Admission;
    explicit Place(Admission& admission) : admission_(&admission) {}
    Admission* admission_ = nullptr;
  };

  /// A place, or an empty one when `most` are taken already (0: there is always one more) or, with
  /// `once`, when there ever was one.
  Place admit(std::size_t most, bool once);

  [[nodiscard]] std::size_t present() const { return present_; }
  [[nodiscard]] std::size_t admitted() const { return admitted_; }  ///< since the start

 private:
  void leave();

  std::move_only_function<void()> on_left_;
  std::move_only_function<void()> on_admitted_;
  std::size_t present_ = 0;
  std::size_t admitted_ = 0;
};

}  // namespace wsproxy::session
