// What to call, in two words of memory.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

namespace wsproxy {

template <typename Signature>
class Callback;

/// Holds a callable that captures at most one pointer or reference, as `[this] { ... }` does: every idle
/// session has several, and std::move_only_function takes five words for each. `std::ref(callable)` fits for
/// what captures more and lives elsewhere.
template <typename Result, typename... Args>
class Callback<Result(Args...)> {
 public:
  template <typename Callable>
    requires(!std::same_as<Callable, Callback> && std::is_invocable_r_v<Result, Callable&, Args...>)
  Callback(Callable callable)  // NOLINT(google-explicit-constructor): a lambda is what is passed
      : call_([](std::byte* held, Args... args) -> Result {
          return (*std::launder(reinterpret_cast<Callable*>(held)))(args...);
        }) {
    static_assert(sizeof(Callable) <= sizeof(void*) && alignof(Callable) <= alignof(void*),
                  "captures more than one pointer");
    static_assert(std::is_trivially_copyable_v<Callable>);
    std::construct_at(reinterpret_cast<Callable*>(held_.data()), callable);
  }

  Result operator()(Args... args) { return call_(held_.data(), args...); }

 private:
  alignas(void*) std::array<std::byte, sizeof(void*)> held_{};
  Result (*call_)(std::byte* held, Args... args);
};

}  // namespace wsproxy
