#include "daemon/wrapped_dialer.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace wsproxy::daemon {
namespace {

constexpr auto kTryAgain = std::chrono::milliseconds(50);

class WrappedDial final : public io::Dial {
 public:
  WrappedDial(io::EventLoop& loop, io::Dialer& inner, io::Endpoint target,
              const io::DialLimits& limits, const std::function<bool()>& starting,
              std::move_only_function<void()> wake)
      : loop_(loop),
        inner_(inner),
        target_(std::move(target)),
        limits_(limits),
        starting_(starting),
        wake_(std::move(wake)),
        deadline_(loop.clock().now() + limits.connect),
        again_(loop.timers(), [this] { survive([this] { begin(false); }); }) {
    begin(false);
  }

  [[nodiscard]] bool pending() const override { return !result_; }
  Result<std::unique_ptr<io::Stream>> take() override { return std::move(*result_); }

 private:
  void begin(bool v6) {
    io::Endpoint to = target_;
    if (v6) to.host = "::1";
    v6_ = v6;
    io::DialLimits limits = limits_;
    limits.connect = std::max<Duration>(deadline_ - loop_.clock().now(), kTryAgain);
    attempt_ = inner_.dial(to, limits, [this] { survive([this] { attempt_done(); }); });
  }

  template <typename Call>
  void survive(Call call) {
    try {
      call();
    } catch (const std::bad_alloc&) {
      if (pending()) finish(fail(Errc::Unreachable, "out of memory"));
    }
  }

  void attempt_done() {
    auto stream = attempt_->take();
    done_ = std::move(attempt_);  // it is calling us
    if (stream) return finish(std::move(stream));
    if (!v6_) {
      error_ = stream.error();  // the address that people know
      if (error_->code == Errc::Refused) return begin(true);
    }
    const bool time_left = loop_.clock().now() + kTryAgain < deadline_;
    if (error_->code == Errc::Refused && starting_() && time_left) return again_.arm(kTryAgain);
    finish(std::unexpected(std::move(*error_)));
  }

  void finish(Result<std::unique_ptr<io::Stream>> result) {
    result_ = std::move(result);
    wake_();
  }

  io::EventLoop& loop_;
  io::Dialer& inner_;
  io::Endpoint target_;
  io::DialLimits limits_;
  std::unique_ptr<io::Dial> done_;  // the last attempt, when it is over
  std::function<bool()> starting_;
  std::move_only_function<void()> wake_;
  SteadyTime deadline_;
  bool v6_ = false;
  std::unique_ptr<io::Dial> attempt_;
  std::optional<Error> error_;
  std::optional<Result<std::unique_ptr<io::Stream>>> result_;
  io::Timer again_;
};

}  // namespace

std::unique_ptr<io::Dial> WrappedDialer::dial(const io::Endpoint& target,
                                              const io::DialLimits& limits,
                                              std::move_only_function<void()> wake) {
  if (target_.port == 0 || target.to_string() != target_.to_string()) {
    return inner_.dial(target, limits, std::move(wake));
  }
  return std::make_unique<WrappedDial>(loop_, inner_, target, limits, starting_, std::move(wake));
}

}  // namespace wsproxy::daemon
