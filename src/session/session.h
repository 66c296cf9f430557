// One browser, from its first byte to the close.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>

#include "base/callback.h"
#include "io/dial.h"
#include "io/event_loop.h"
#include "io/stream.h"
#include "session/close_reason.h"
#include "session/gate.h"
#include "session/keepalive.h"
#include "session/lifetime.h"
#include "session/opening.h"
#include "session/phase.h"
#include "session/recording.h"
#include "session/relay.h"
#include "session/session_log.h"
#include "session/settings.h"

namespace wsproxy::session {

/// What a step of the life answers: go on with the next phase's step, or wait for an event.
enum class Step : std::uint8_t { Next, Wait };

class Session {
 public:
  /// `client` is plain and connected, `machinery` outlives the session; `peer` names it in the log; `visit` is
  /// what it was let in by, perhaps to be refused. `on_closed` is called once, from
  /// the loop's deferred work: the place to destroy the session.
  Session(std::uint64_t id, std::unique_ptr<io::Stream> client, std::string peer,
          std::shared_ptr<const Settings> settings, const Machinery& machinery,
          Callback<void(Session&)> on_closed, Admission::Visit visit = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Goes as far as it can without waiting. Safe to call once too often.
  void advance();

  /// The daemon stops: a WebSocket gets Close 1001, a connection between requests ends.
  void shut_down();

  /// What the loop reports of either side. A test plays the loop: it reports what was asked for.
  void client_event(io::Ready ready);
  void target_event(io::Ready ready);
  [[nodiscard]] io::Interest client_interest() const { return client_watch_.interest(); }
  [[nodiscard]] io::Interest target_interest() const {
    return target_watch_ ? target_watch_->interest() : io::Interest{};
  }

  /// Ends it at once, with its line in the log.
  void cut();

  /// True if, since this was last asked or shut_down() called, something of what is under way at the end has
  /// moved.
  bool is_moving() { return moved_since(stop_mark_); }

  /// Who, in which phase, since when, with whom and how much: a line for the operator.
  [[nodiscard]] std::string summary() const;

  [[nodiscard]] std::uint64_t id() const { return log_.id(); }
  [[nodiscard]] Phase phase() const { return phase_; }

 private:
  // How far the way out has come: bytes that left us, and bytes that the kernel still holds.
  struct DrainMark {
    std::uint64_t written = 0;
    std::size_t unacknowledged = 0;
  };

  Step sniff();
  Step tls_handshake();
  Step read_request();
  Step dispatch();
  Step respond();
  Step authorize();
  Step upgrade();
  Step connect();
  Step relay();
  Step drain();
  Step linger();

  Step enter(Phase next);
  Step reply_with(web::Reply reply);
  Step refuse(const Refusal& refusal);
  void go_on();
  template <typename Call>
  void survive(Call call) {  // an allocation that fails ends this session, and no other
    try {
      call();
    } catch (const std::bad_alloc&) {
      out_of_memory();
    }
  }
  void out_of_memory();
  void end_of_turn();
  Step give_up_dialling();
  void say_goodbye(CloseReason reason);
  void drop_dial();
  void resume_soon();
  Step end(std::string_view why);  // at once, with nothing left to say
  void finish();
  void out_of_time();
  void keep_alive();
  void begin_lifetime();
  bool moved_since(DrainMark& mark) const;
  void update_interest();
  void arm_for(Phase phase);
  void begin_access(int status);
  void conclude();
  [[nodiscard]] Incoming incoming() const;
  [[nodiscard]] web::Asked asked() const;

  std::shared_ptr<const Settings> settings_;
  const Machinery& machinery_;
  Callback<void(Session&)> on_closed_;
  Phase phase_ = Phase::Sniff;
  bool client_ready_ = true;  // a read may give something: also at the very start
  bool target_ready_ = false;
  bool secure_ = false;      // client_ is a TlsStream
  bool last_reply_ = false;  // the daemon stops: no further request is read
  DrainMark drain_mark_;     // for the deadline
  DrainMark stop_mark_;      // for who stops us, who asks more often
  Keepalive keepalive_;
  SessionLog log_;
  std::string_view ending_;  // what the relay's own words leave out
  std::unique_ptr<io::Stream> client_;
  std::unique_ptr<Opening> opening_;
  Admission::Place place_;
  std::unique_ptr<io::Dial> dial_;
  std::unique_ptr<io::Dial> done_dial_;  // may be calling us right now
  std::unique_ptr<io::Stream> target_;
  std::unique_ptr<Recording> recording_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Lifetime> lifetime_;  // null: no limit
  io::Watch client_watch_;
  std::optional<io::Watch> target_watch_;
  io::Deferred end_of_turn_;
  io::Timer deadline_;
  std::unique_ptr<io::Timer> resume_;  // when TLS holds bytes that no event announces
};

}  // namespace wsproxy::session
