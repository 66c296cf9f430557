// How a session ends, other than by its own steps: its time is up, the daemon stops. The steps are in
// session.cc.
#include <cinttypes>
#include <new>
#include <utility>

#include "base/log.h"
#include "io/plain_stream.h"
#include "session/session.h"

namespace wsproxy::session {

// --- time ---

void Session::arm_for(Phase phase) {
  if (const auto limit = deadline_of(phase, settings_->config)) {
    deadline_.arm(*limit);
  } else {
    deadline_.cancel();
  }
}

void Session::out_of_time() {
  switch (phase_) {
    case Phase::ReadRequest:
      if (!opening_->has_received()) break;  // idle between two requests
      opening_->give_up_head();
      refuse({408, "the request did not arrive in time"});
      advance();
      return;
    case Phase::TlsHandshake:
      if (log_.may_log(&LogLimits::tls_failed)) {
        log::info("%s TLS handshake not complete in time", log_.tag().c_str());
      }
      break;
    case Phase::Respond:
      // what the kernel holds for a slow client is taken bit by bit though nothing more leaves us
      if (moved_since(drain_mark_)) return arm_for(Phase::Respond);
      if (log_.may_log(&LogLimits::broken_off)) {
        log::info("%s client takes nothing of the reply", log_.tag().c_str());
      }
      break;
    case Phase::Connect: ending_ = "gave up connecting"; break;
    case Phase::Drain:
      if (moved_since(drain_mark_)) return arm_for(Phase::Drain);
      ending_ = "gave up on what was still under way";
      break;
    case Phase::Linger:
      // a slow reader of a long reply: closing now would cut what the kernel still holds for it
      if (moved_since(drain_mark_)) return arm_for(Phase::Linger);
      break;
    case Phase::Relay: return keep_alive();
    case Phase::Sniff:
    case Phase::Authorize:
    case Phase::Upgrade:
    case Phase::Closed: break;
  }
  finish();
}

void Session::keep_alive() {
  Keepalive::Signs signs{relay_->bytes_from_client(), io::acknowledged_bytes(client_->fd()),
                         io::unacknowledged_bytes(client_->fd())};
  if (signs.acknowledged == 0) {  // a Unix socket tells no more than what is left
    signs.acknowledged = relay_->bytes_written_to_client() - signs.unacknowledged;
  }
  switch (keepalive_.tick(signs)) {
    case Keepalive::Verdict::Alive:
    case Keepalive::Verdict::Wait: break;
    case Keepalive::Verdict::Ping: relay_->ping(); break;
    case Keepalive::Verdict::Dead: relay_->close(CloseReason::ClientSilent, ""); break;
  }
  arm_for(Phase::Relay);
  advance();
}

void Session::begin_lifetime() {
  const LifetimeLimits limits{settings_->config.session_idle_timeout,
                              settings_->config.session_max_duration};
  if (!limits.any()) return;
  lifetime_ = std::make_unique<Lifetime>(
      machinery_.loop.timers(), limits,
      [this] { return relay_->bytes_to_target() + relay_->bytes_to_client(); },
      [this](CloseReason over) {
        if (phase_ == Phase::Connect || phase_ == Phase::Relay) say_goodbye(over);
      });
}

// True if what is still on its way out has moved since `mark`, which is now.
bool Session::moved_since(DrainMark& mark) const {
  DrainMark now;
  if (phase_ == Phase::Drain) now.written = relay_->drained();
  if (phase_ == Phase::Respond) now.written = opening_->reply->progress();
  if (!relay_ || phase_ == Phase::Linger || !relay_->close_sent() || relay_->waits_for_close()) {
    now.unacknowledged = io::unacknowledged_bytes(client_->fd());
  } else if (target_) {
    now.unacknowledged = io::unacknowledged_bytes(target_->fd());
  }
  const DrainMark before = std::exchange(mark, now);
  return now.written != before.written || now.unacknowledged < before.unacknowledged;
}

// --- the daemon stops ---

// From our side, with a Close frame.
void Session::say_goodbye(CloseReason reason) {
  survive([&] {
    relay_->close(reason, "");
    if (phase_ == Phase::Connect) give_up_dialling();
  });
  advance();
}

void Session::shut_down() {
  switch (phase_) {
    case Phase::Sniff:
    case Phase::TlsHandshake:
    case Phase::ReadRequest:
    case Phase::Authorize:
    case Phase::Upgrade: finish(); return;
    case Phase::Connect:
    case Phase::Relay:
    case Phase::Drain: say_goodbye(CloseReason::ShuttingDown); break;
    case Phase::Respond: last_reply_ = true; break;
    case Phase::Linger:
    case Phase::Closed: break;
  }
  if (phase_ != Phase::Closed) moved_since(stop_mark_);  // from here on it counts
}

void Session::cut() {
  if (relay_) ending_ = "cut when the proxy stopped";
  finish();
}

// --- the end ---

void Session::out_of_memory() {
  ending_ = "out of memory";
  if (!log_.is_open() && log_.may_log(&LogLimits::broken_off)) {
    log::warning("[s%" PRIu64 "] out of memory", log_.id());  // its tag would need some
  }
  finish();
}

void Session::finish() {
  if (phase_ == Phase::Closed) return;
  try {
    conclude();
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): it ends without its lines
  }
  phase_ = Phase::Closed;
  deadline_.cancel();
  if (resume_) resume_->cancel();
  client_watch_.set({});
  if (target_watch_) target_watch_->set({});
  end_of_turn_.run_soon();
}

// Nothing of ours is on the stack.
void Session::end_of_turn() {
  done_dial_.reset();
  if (phase_ != Phase::Closed) return;
  auto closed = on_closed_;  // it destroys this session, and would destroy itself
  closed(*this);
}

// The request or session that was under way is over: it has its lines, once.
void Session::conclude() {
  if (!relay_) {
    log_.end_access(opening_->reply ? opening_->reply->progress() : 0);
    return;
  }
  relay_->observe(nullptr);
  recording_.reset();
  const std::string target = settings_->target.to_string();
  log_.close(target, *relay_, ending_);
  log_.end_access(target, *relay_);
}

}  // namespace wsproxy::session
