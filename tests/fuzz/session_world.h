// A session with everything around it played: its client, its target, the loop and the time.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log_format.h"
#include "fuzz/session_model.h"
#include "session/log_limits.h"
#include "session/session.h"
#include "support/fake_clock.h"
#include "support/fake_dialer.h"

namespace wsproxy::fuzz {

/// Lines of either log: whole, short, and without a byte that a terminal would obey.
inline void check_line(std::string_view line) {
  CHECK(line.size() <= 4096 && line.ends_with('\n'));
  line.remove_suffix(1);
  CHECK(std::ranges::all_of(line, [](char c) { return c >= ' ' && c < 0x7f; }));
}

class CheckingSink final : public log::Sink {
 public:
  bool write(const log::Record& record) override {
    check_line(log::line_of(log::Format::Json, record));
    check_line(log::line_of(log::Format::Text, record));
    return true;
  }
};

class CheckingOutput final : public log::Output {
 public:
  bool write(std::string_view line) override {
    check_line(line);
    return true;
  }
};

class World {
 public:
  struct Options {
    bool any_host = true;
    bool small_ring = false;
    bool heartbeat = true;
    bool ssl_only = false;
    int max_control_frames = 100;
    bool limited_time = false;
    bool client_keeps_rest = false;  ///< both as TLS does it
    bool target_keeps_rest = false;
  };

  explicit World(const Options& options)
      : block_(options.small_ring ? kReadAtOnce : kBlock), pool_(block_) {
    auto settings = std::make_shared<session::Settings>();
    settings->target = {"localhost", 5900, ""};
    settings->names =
        *access::HostNames::make({options.any_host ? "*" : "desk.example"}, {"machine"});
    settings->config.heartbeat = std::chrono::seconds(options.heartbeat ? 30 : 0);
    if (options.limited_time) {
      settings->config.session_idle_timeout = std::chrono::seconds(20);
      settings->config.session_max_duration = kMostTime;
      limited_time_ = true;
    }
    settings->config.max_control_frames = options.max_control_frames;
    settings->config.ssl_only = options.ssl_only;
    settings->config.server_name = {"desk.example"};
    client->keeps_rest = options.client_keeps_rest;
    target->keeps_rest = options.target_keeps_rest;
    machinery_.log_limits = &log_limits_.emplace(loop_);
    machinery_.access_log = &access_log_;
    session = std::make_unique<session::Session>(1, std::make_unique<test::ScriptedStream>(client),
                                                 "10.0.0.7:51123", std::move(settings), machinery_,
                                                 [this](session::Session&) {
                                                   session.reset();
                                                   ++closed_;
                                                 });
    session->advance();
    settle();
  }

  void client_sends(std::string_view bytes) {
    if (client->eof || client->read_error != 0) return;
    sent += bytes;
    client->to_read += bytes;
  }
  void target_sends(std::string_view bytes) {
    if (target->eof || target->read_error != 0) return;
    served += bytes;
    target->to_read += bytes;
  }
  /// The target answers, or does not, if it has been asked.
  void answer_dial(bool connects) {
    if (dialer_.pending == nullptr) return;
    if (connects) {
      connected = true;
      dialer_.connect(target);
    } else {
      dialer_.refuse("cannot reach localhost:5900: connection refused");
    }
  }
  [[nodiscard]] bool is_dialling() const { return dialer_.pending != nullptr; }

  /// Plays the loop, level-triggered, until nothing moves any more.
  void settle() {
    for (int unmoved = 0; unmoved < 2;) {
      const auto before = moved();
      bool asked = false;
      if (session) asked = report(*client, session->client_interest(), true) || asked;
      if (session) asked = report(*target, session->target_interest(), false) || asked;
      loop_.turn(Duration::zero());
      const bool due = loop_.timers().next_in() == Duration::zero();
      const bool still = before == moved();
      // ready for what it asked for, and yet nothing comes of it: a loop would burn the processor
      spins_ = still && (asked || due) ? spins_ + 1 : 0;
      CHECK(spins_ < 20);
      unmoved = still && !asked && !due ? unmoved + 1 : 0;
    }
    if (!session || session->phase() != session::Phase::Relay) return;
    if (!relays_since_) relays_since_ = clock_.now();
    CHECK(!limited_time_ || clock_.now() - *relays_since_ < kMostTime);
  }

  void pass(Duration time) {
    clock_.advance(time);
    loop_.turn(Duration::zero());
    settle();
  }

  /// Time runs on with nobody doing anything: it has to come to an end by itself.
  void run_out() {
    const SteadyTime limit = clock_.now() + kLongest;
    while (session) {
      const auto next = loop_.timers().next_in();
      if (!next) {
        // a quiet desktop without heartbeats may stay for ever, and nothing else
        CHECK(session->phase() == session::Phase::Relay);
        client->eof = true;
        settle();
        CHECK(!session || loop_.timers().next_in());
        continue;
      }
      CHECK(clock_.now() < limit);
      pass(*next);
    }
  }

  /// Nothing of it may be left.
  void check_left_behind() {
    CHECK(!session && closed_ == 1 && client->closed);
    CHECK(target->closed == connected && dialer_.pending == nullptr);
    CHECK(admission_.present() == 0);
    log_limits_.reset();
    loop_.turn(Duration::zero());
    CHECK(!loop_.timers().next_in());
  }

  [[nodiscard]] std::size_t ring_bytes() const { return block_; }
  /// What the client has sent and the session has read.
  [[nodiscard]] std::string_view read_of_client() const {
    return std::string_view(sent).substr(0, sent.size() - client->to_read.size());
  }
  [[nodiscard]] std::string_view read_of_target() const {
    return std::string_view(served).substr(0, served.size() - target->to_read.size());
  }
  [[nodiscard]] std::string_view given_to_client() const { return client->written; }

  std::shared_ptr<test::Peer> client = std::make_shared<test::Peer>();
  std::shared_ptr<test::Peer> target = std::make_shared<test::Peer>();
  std::string sent;    ///< all that the client has sent, read or not
  std::string served;  ///< and the target
  bool connected = false;
  std::unique_ptr<session::Session> session;

 private:
  static constexpr std::size_t kBlock = std::size_t{64} * 1024;
  static constexpr std::size_t kReadAtOnce = std::size_t{16} * 1024;  // a ring is never smaller
  static constexpr auto kMostTime = std::chrono::seconds(40);
  // handshake, reply, look-up and dial, a heartbeat and a half and its verdict, drain, linger
  static constexpr auto kLongest = std::chrono::seconds(10 + 30 + 17 + 90 + 5 + 5 + 1 + 10);

  static MutableBytes scratch() {
    static std::vector<std::byte> block(kBlock);
    return block;
  }

  // Reports what was asked for and can be done; false: nothing.
  bool report(test::Peer& peer, io::Interest interest, bool is_client) const {
    const bool readable = peer.to_read.size() > peer.inside || (peer.to_read.empty() && peer.eof) ||
                          peer.read_error != 0;
    const bool any = interest != io::Interest{};
    const io::Ready ready = {
        .read = interest.read && readable,
        .write = interest.write && (peer.write_room > 0 || peer.write_error != 0),
        .hang_up = (interest.hang_up && peer.eof) || (any && peer.read_error != 0)};
    if (!ready.read && !ready.write && !ready.hang_up) return false;
    // TLS takes all that there is off the descriptor, which then tells of it no more
    if (ready.read && peer.keeps_rest) peer.inside = peer.to_read.size();
    if (is_client) {
      session->client_event(ready);
    } else {
      session->target_event(ready);
    }
    return true;
  }

  // Changes whenever anything does.
  [[nodiscard]] std::array<std::size_t, 9> moved() const {
    const auto of = [](const test::Peer& peer) {
      return std::array{peer.to_read.size(), peer.written.size() + peer.held.size(),
                        static_cast<std::size_t>(peer.closed) * 2 + peer.write_shut,
                        peer.held.size()};
    };
    const auto a = of(*client);
    const auto b = of(*target);
    return {a[0], a[1], a[2],
            a[3], b[0], b[1],
            b[2], b[3], session ? static_cast<std::size_t>(session->phase()) : 99};
  }

  std::size_t block_;
  test::FakeClock clock_;
  io::EventLoop loop_{clock_};
  test::FakeDialer dialer_;
  session::Admission admission_{clock_, [] {}};
  BufferPool pool_;
  std::optional<session::LogLimits> log_limits_;
  session::AccessLog access_log_{std::make_unique<CheckingOutput>(),
                                 session::AccessLog::Format::Combined};
  session::Machinery machinery_{loop_, dialer_, admission_, pool_, scratch()};
  std::optional<SteadyTime> relays_since_;
  bool limited_time_ = false;
  int closed_ = 0;
  int spins_ = 0;
};

}  // namespace wsproxy::fuzz
