#include "tls/tls_dialer.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "tls/tls_stream.h"

namespace wsproxy::tls {
namespace {

using io::IoResult;

// A look-up and a connection that took all the time there was still leave the handshake this much.
constexpr Duration kLeastTime = std::chrono::seconds(1);

class TlsDial final : public io::Dial {
 public:
  TlsDial(io::EventLoop& loop, std::shared_ptr<const ClientContext> context,
          const io::Endpoint& target, const io::DialLimits& limits,
          std::move_only_function<void()> wake)
      : loop_(loop),
        context_(std::move(context)),
        target_(target),
        wake_(std::move(wake)),
        due_(loop.clock().now() + limits.connect),
        limit_(loop.timers(), [this] { out_of_time(); }) {}

  void start(io::Dialer& inner, const io::DialLimits& limits) {
    if (!target_.unix_path.empty()) {
      result_ = failed(Errc::Invalid, "not to a Unix socket");
      limit_.arm(Duration::zero());
      return;
    }
    inner_ = inner.dial(target_, limits, [this] { survive([this] { connected(); }); });
  }

  [[nodiscard]] bool pending() const override { return pending_; }
  Result<std::unique_ptr<io::Stream>> take() override { return std::move(result_); }

 private:
  template <typename Call>
  void survive(Call call) {
    try {
      call();
    } catch (const std::bad_alloc&) {
      if (pending_) finish(fail(Errc::Tls, "out of memory"));
    }
  }

  void connected() {
    auto stream = inner_->take();
    if (!stream) return finish(std::move(stream));
    stream_ = context_->connect(std::move(*stream), target_.host);
    watch_ = std::make_unique<io::Watch>(loop_, stream_->fd(),
                                         [this](io::Ready) { survive([this] { shake_hands(); }); });
    limit_.arm(std::max(due_ - loop_.clock().now(), kLeastTime));
    shake_hands();
  }

  void shake_hands() {
    const IoResult result = stream_->handshake();
    if (result.kind == IoResult::Kind::Again) return watch_->set(stream_->interest({}));
    if (!result.is_ok()) return finish(failed(Errc::Tls, stream_->handshake_failure()));
    finish(std::move(stream_));
  }

  void out_of_time() {
    if (!stream_) return finish(std::move(result_));  // refused from the start
    finish(failed(Errc::TimedOut, "no end of the handshake in time"));
  }

  [[nodiscard]] std::unexpected<Error> failed(Errc code, const std::string& why) const {
    return fail(code, "cannot reach " + target_.to_string() + ": TLS: " + why);
  }

  void finish(Result<std::unique_ptr<io::Stream>> result) {
    result_ = std::move(result);
    pending_ = false;
    limit_.cancel();
    if (watch_) watch_->set({});  // it may be calling us, as inner_ may: both stay until we go
    wake_();
  }

  io::EventLoop& loop_;
  std::shared_ptr<const ClientContext> context_;
  io::Endpoint target_;
  std::move_only_function<void()> wake_;
  SteadyTime due_;
  std::unique_ptr<io::Dial> inner_;
  std::unique_ptr<TlsStream> stream_;
  std::unique_ptr<io::Watch> watch_;  // of the stream's descriptor: goes first
  io::Timer limit_;
  bool pending_ = true;
  Result<std::unique_ptr<io::Stream>> result_;
};

}  // namespace

std::unique_ptr<io::Dial> TlsDialer::dial(const io::Endpoint& target, const io::DialLimits& limits,
                                          std::move_only_function<void()> wake) {
  auto dial = std::make_unique<TlsDial>(loop_, context_, target, limits, std::move(wake));
  dial->start(inner_, limits);
  return dial;
}

}  // namespace wsproxy::tls
