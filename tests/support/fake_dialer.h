// A dialer whose targets are the test's.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "io/dial.h"
#include "support/scripted_stream.h"

namespace wsproxy::test {

class FakeDialer final : public io::Dialer {
 public:
  std::unique_ptr<io::Dial> dial(const io::Endpoint& target, const io::DialLimits&,
                                 std::move_only_function<void()> wake) override {
    dialled = target.to_string();
    auto dial = std::make_unique<FakeDial>(*this, std::move(wake));
    pending = dial.get();
    return dial;
  }

  /// The target answers.
  void connect(std::unique_ptr<io::Stream> stream) {
    std::exchange(pending, nullptr)->finish(std::move(stream));
  }
  void connect(std::shared_ptr<Peer> peer) {
    connect(std::make_unique<ScriptedStream>(std::move(peer)));
  }
  void refuse(std::string text) {
    std::exchange(pending, nullptr)->finish(fail(Errc::Refused, std::move(text)));
  }

  std::string dialled;
  bool cancelled = false;

 private:
  class FakeDial final : public io::Dial {
   public:
    FakeDial(FakeDialer& dialer, std::move_only_function<void()> wake)
        : dialer_(dialer), wake_(std::move(wake)) {}
    ~FakeDial() override {
      if (!pending_) return;
      dialer_.cancelled = true;
      dialer_.pending = nullptr;
    }
    [[nodiscard]] bool pending() const override { return pending_; }
    Result<std::unique_ptr<io::Stream>> take() override { return std::move(result_); }
    void finish(Result<std::unique_ptr<io::Stream>> result) {
      result_ = std::move(result);
      pending_ = false;
      wake_();
    }

   private:
    FakeDialer& dialer_;
    std::move_only_function<void()> wake_;
    bool pending_ = true;
    Result<std::unique_ptr<io::Stream>> result_;
  };

 public:
  FakeDial* pending = nullptr;
};

}  // namespace wsproxy::test
