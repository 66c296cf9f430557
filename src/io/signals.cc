#include "io/signals.h"

#include <sys/signalfd.h>

#include <csignal>

#include "base/check.h"

namespace wsproxy::io {
namespace {

sigset_t block(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  CHECK(::sigprocmask(SIG_BLOCK, &set, nullptr) == 0);
  return set;
}

UniqueFd open_signals(std::initializer_list<int> signals) {
  const sigset_t set = block(signals);
  CHECK(::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
  UniqueFd fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  CHECK(fd);
  return fd;
}

}  // namespace

void hold_signals(std::initializer_list<int> signals) { block(signals); }

Signals::Signals(EventLoop& loop, std::initializer_list<int> signals,
                 std::move_only_function<void(int)> on_signal)
    : fd_(open_signals(signals)),
      watch_(loop, fd_.get(), [this](Ready) { read(); }),
      on_signal_(std::move(on_signal)) {
  watch_.set({.read = true});
}

void Signals::read() {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != sizeof info) return;
  on_signal_(static_cast<int>(info.ssi_signo));
}

}  // namespace wsproxy::io
