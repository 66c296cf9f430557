#include "io/dial.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>
#include <vector>

#include "io/plain_stream.h"

namespace wsproxy::io {
namespace {

constexpr auto kStagger = std::chrono::milliseconds(250);  // RFC 8305 section 5
constexpr auto kAttemptTimeout = std::chrono::seconds(5);  // of one address, if it is not the last

// Of the errors of several addresses, the one that says most: a machine that refused is there.
int worth(int error) {
  switch (error) {
    case ECONNREFUSED: return 3;
    case ETIMEDOUT: return 2;
    case EAFNOSUPPORT:
    case EADDRNOTAVAIL:
    case ENETUNREACH: return 0;
    default: return 1;
  }
}

Errc code_of(int error) {
  if (error == ECONNREFUSED || error == ENOENT) return Errc::Refused;
  return error == ETIMEDOUT ? Errc::TimedOut : Errc::Unreachable;
}

class SocketDial final : public Dial {
 public:
  SocketDial(EventLoop& loop, const Endpoint& target, const DialLimits& limits,
             std::move_only_function<void()> wake)
      : loop_(loop),
        name_(target.to_string()),
        port_(target.port),
        limits_(limits),
        wake_(std::move(wake)),
        next_(loop.timers(), [this] { survive([this] { try_next(); }); }),
        limit_(loop.timers(), [this] { out_of_time(); }) {}

  void start_lookup(Resolver& resolver, const std::string& host) {
    lookup_ = resolver.lookup(host, limits_.lookup,
                              [this] { survive([this] { looked_up(lookup_->take()); }); });
  }

  void start(std::vector<SocketAddress> addresses) {
    addresses_ = std::move(addresses);
    std::ranges::reverse(addresses_);  // taken from the back
    limit_.arm(limits_.connect);
    next_.arm(Duration::zero());
  }

  void start_failed(int error) {
    note(error);
    start({});
  }

  [[nodiscard]] bool pending() const override { return pending_; }

  Result<std::unique_ptr<Stream>> take() override {
    if (result_) return std::move(result_);
    return std::unexpected(result_.error().in("cannot reach " + name_));
  }

 private:
  struct Attempt {
    Attempt(SocketDial& its_dial, UniqueFd socket)
        : dial(its_dial),
          fd(std::move(socket)),
          watch(dial.loop_, fd.get(),
                [this](Ready) { dial.survive([this] { dial.attempt_ready(*this); }); }),
          timeout(dial.loop_.timers(),
                  [this] { dial.survive([this] { dial.attempt_failed(*this, ETIMEDOUT); }); }) {
      watch.set({.write = true});
    }
    // It may be calling us right now: it stays where it is until the dial dies.
    void end() {
      over = true;
      watch.set({});
      timeout.cancel();
      fd.reset();
    }
    SocketDial& dial;
    UniqueFd fd;
    Watch watch;
    Timer timeout;
    bool over = false;
  };

  // An allocation that fails is an attempt that fails.
  template <typename Call>
  void survive(Call call) {
    try {
      call();
    } catch (const std::bad_alloc&) {
      if (pending_) finish(fail(Errc::Unreachable, "out of memory"));
    }
  }

  void looked_up(Result<std::vector<SocketAddress>> addresses) {
    if (!addresses) return finish(std::unexpected(std::move(addresses.error())));
    start(interleave_families(*addresses));
    try_next();
  }

  void try_next() {
    while (pending_ && !addresses_.empty()) {
      SocketAddress address = addresses_.back();
      addresses_.pop_back();
      address.set_port(port_);
      if (begin(address)) {
        if (pending_ && !addresses_.empty()) next_.arm(kStagger);
        return;
      }
    }
    give_up_if_none_left();
  }

  // True if an attempt is under way now, or there already; false if it failed at once.
  bool begin(const SocketAddress& address) {
    UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) {
      note(errno);
      return false;
    }
    int done = ::connect(fd.get(), address.get(), address.length());
    // within this machine all is settled by now though it says "in progress": who asks again need not wait
    if (done != 0 && errno == EINPROGRESS && address.is_loopback()) {
      done = ::connect(fd.get(), address.get(), address.length());
      if (done != 0 && errno == EALREADY) errno = EINPROGRESS;
    }
    if (done == 0) {
      connected(std::move(fd));
      return true;
    }
    // a Unix socket whose queue is full says EAGAIN and polls writable: nothing to wait for
    if (errno != EINPROGRESS) {
      note(errno == EAGAIN ? ECONNREFUSED : errno);
      return false;
    }
    attempts_.push_back(std::make_unique<Attempt>(*this, std::move(fd)));
    if (!addresses_.empty()) attempts_.back()->timeout.arm(kAttemptTimeout);
    return true;
  }

  void attempt_ready(Attempt& attempt) {
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(attempt.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
    if (error != 0) return attempt_failed(attempt, error);
    attempt.watch.set({});
    connected(std::move(attempt.fd));
  }

  void connected(UniqueFd fd) {
    tune_tcp(fd.get(), limits_.user_timeout);
    finish(std::make_unique<PlainStream>(std::move(fd)));
  }

  void attempt_failed(Attempt& attempt, int error) {
    note(error);
    attempt.end();
    try_next();
  }

  void note(int error) {
    if (error_ == 0 || worth(error) > worth(error_)) error_ = error;
  }

  void give_up_if_none_left() {
    if (!pending_ || !addresses_.empty()) return;
    if (!std::ranges::all_of(attempts_, [](const auto& attempt) { return attempt->over; })) return;
    finish(fail(code_of(error_), describe_errno(error_)));
  }

  void out_of_time() {
    note(ETIMEDOUT);
    addresses_.clear();
    finish(fail(code_of(error_), describe_errno(error_)));
  }

  void finish(Result<std::unique_ptr<Stream>> result) {
    result_ = std::move(result);
    pending_ = false;
    next_.cancel();
    limit_.cancel();
    for (const auto& attempt : attempts_) attempt->end();
    wake_();
  }

  EventLoop& loop_;
  std::string name_;
  std::uint16_t port_;
  DialLimits limits_;
  std::move_only_function<void()> wake_;
  std::unique_ptr<Lookup> lookup_;
  std::vector<SocketAddress> addresses_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  Timer next_;
  Timer limit_;
  int error_ = 0;
  bool pending_ = true;
  Result<std::unique_ptr<Stream>> result_;
};

}  // namespace

std::string Endpoint::to_string() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::unique_ptr<Dial> SocketDialer::dial(const Endpoint& target, const DialLimits& limits,
                                         std::move_only_function<void()> wake) {
  auto dial = std::make_unique<SocketDial>(loop_, target, limits, std::move(wake));
  if (!target.unix_path.empty()) {
    auto address = SocketAddress::unix_path(target.unix_path);
    if (address) {
      dial->start({*address});
    } else {
      dial->start_failed(ENAMETOOLONG);
    }
  } else if (const auto numeric = SocketAddress::numeric(target.host, target.port)) {
    dial->start({*numeric});
  } else {
    dial->start_lookup(resolver_, target.host);
  }
  return dial;
}

std::vector<SocketAddress> interleave_families(const std::vector<SocketAddress>& addresses) {
  if (addresses.empty()) return addresses;
  const int first_family = addresses.front().family();
  std::vector<SocketAddress> ours;
  std::vector<SocketAddress> others;
  for (const SocketAddress& address : addresses) {
    (address.family() == first_family ? ours : others).push_back(address);
  }
  std::vector<SocketAddress> ordered;
  for (std::size_t i = 0; i < std::max(ours.size(), others.size()); ++i) {
    if (i < ours.size()) ordered.push_back(ours[i]);
    if (i < others.size()) ordered.push_back(others[i]);
  }
  return ordered;
}

}  // namespace wsproxy::io
