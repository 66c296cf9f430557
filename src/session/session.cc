#include "session/session.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "base/check.h"
#include "base/endpoint.h"
#include "base/log.h"
#include "http/response.h"
#include "io/plain_stream.h"
#include "tls/sniff.h"
#include "tls/tls_stream.h"
#include "web/page.h"

namespace wsproxy::session {

using io::IoResult;

namespace {

constexpr auto kTimeToBeTold = std::chrono::seconds(2);

http::HeadLimits head_limits(const config::Config& config) {
  http::HeadLimits limits;
  limits.bytes = static_cast<std::size_t>(config.max_header_bytes);
  limits.fields = static_cast<std::size_t>(config.max_headers);
  return limits;
}

}  // namespace

Session::Session(std::uint64_t id, std::unique_ptr<io::Stream> client, std::string peer,
                 std::shared_ptr<const Settings> settings, const Machinery& machinery,
                 Callback<void(Session&)> on_closed, Admission::Visit visit)
    : settings_(std::move(settings)),
      machinery_(machinery),
      on_closed_(on_closed),
      log_(id, std::move(peer), machinery_),
      client_(std::move(client)),
      opening_(std::make_unique<Opening>(head_limits(settings_->config), std::move(visit))),
      client_watch_(machinery.loop, client_->fd(),
                    [this](io::Ready ready) { client_event(ready); }),
      end_of_turn_(machinery.loop, [this] { end_of_turn(); }),
      deadline_(machinery.loop.timers(), [this] { survive([this] { out_of_time(); }); }) {
  arm_for(Phase::Sniff);
  // their places are few: who does not ask soon is not told
  if (opening_->visit.denial())
    deadline_.arm(std::min<Duration>(kTimeToBeTold, settings_->config.handshake_timeout));
}

Session::~Session() = default;

void Session::advance() {
  survive([this] { go_on(); });
}

void Session::go_on() {
  Step step = Step::Next;
  while (step == Step::Next) {
    switch (phase_) {
      case Phase::Sniff: step = sniff(); break;
      case Phase::TlsHandshake: step = tls_handshake(); break;
      case Phase::ReadRequest: step = read_request(); break;
      case Phase::Respond: step = respond(); break;
      case Phase::Authorize: step = authorize(); break;
      case Phase::Upgrade: step = upgrade(); break;
      case Phase::Connect: step = connect(); break;
      case Phase::Relay: step = relay(); break;
      case Phase::Drain: step = drain(); break;
      case Phase::Linger: step = linger(); break;
      case Phase::Closed: return;
    }
  }
  client_ready_ = false;
  target_ready_ = false;
  if (phase_ != Phase::Closed) update_interest();
}

// --- the steps, in order ---

Step Session::sniff() {
  std::array<std::byte, 1> first{};
  const IoResult result = client_->peek(first);
  if (result.kind == IoResult::Kind::Again) return Step::Wait;
  if (!result.is_ok()) return end("closed before it sent anything");
  if (!tls::is_client_hello(first[0])) return enter(Phase::ReadRequest);
  if (settings_->tls) {
    client_ = settings_->tls->accept(std::move(client_));
    secure_ = true;
    return enter(Phase::TlsHandshake);
  }
  if (log_.may_log(&LogLimits::tls_failed)) {
    log::info("%s TLS client on a port without TLS: no --cert was given", log_.tag().c_str());
  }
  const std::array parts = {Bytes(tls::kNoTlsAlert)};
  client_->write(parts);
  return enter(Phase::Linger);
}

Step Session::tls_handshake() {
  auto& stream = static_cast<tls::TlsStream&>(*client_);
  const IoResult result = stream.handshake();
  if (result.kind == IoResult::Kind::Again) return Step::Wait;
  if (!result.is_ok()) {
    if (log_.may_log(&LogLimits::tls_failed)) {
      log::info("%s TLS handshake failed: %s", log_.tag().c_str(),
                stream.handshake_failure().c_str());
    }
    return enter(Phase::Linger);
  }
  log_.debug("%s", stream.version());
  if (const std::string who = stream.peer_name(); !who.empty()) {
    log::info("%s client certificate of \"%s\"", log_.tag().c_str(), for_log(who).c_str());
  }
  return enter(Phase::ReadRequest);
}

Step Session::read_request() {
  switch (opening_->read_head(*client_, machinery_.scratch)) {
    case Opening::Progress::Whole: return dispatch();
    case Opening::Progress::Wait: return Step::Wait;
    case Opening::Progress::Bad: return refuse({opening_->status(), "bad request head"});
    case Opening::Progress::Gone: break;
    case Opening::Progress::GoneHalf:
      if (log_.may_log(&LogLimits::broken_off)) {
        log::info("%s client went away in the middle of a request", log_.tag().c_str());
      }
      break;
  }
  return end("client went away");
}

// A whole head is there: a page, a file, or an upgrade?
Step Session::dispatch() {
  const http::RequestHead& head = opening_->head();
  if (log::enabled(log::Level::Debug)) {
    log_.debug("request: %s %s", for_log(head.method).c_str(), for_log(head.path).c_str());
  }
  if (const auto denial = opening_->visit.denial()) return refuse(too_many(*denial));
  if (opening_->local.family() == AF_UNSPEC) opening_->local = local_address(client_->fd());
  if (const auto refusal = check_request(incoming(), *settings_)) return refuse(*refusal);
  if (ws::is_upgrade(head)) return enter(Phase::Authorize);
  if (const auto refusal = check_page_request(head)) return refuse(*refusal);
  return reply_with(settings_->web
                        ? settings_->web->answer(asked())
                        : web::answer_from_page(asked(), settings_->config.frame_ancestors));
}

Step Session::respond() {
  Opening& opening = *opening_;
  const IoResult result = opening.reply->send(*client_, machinery_.scratch);
  if (result.kind == IoResult::Kind::Again) {
    if (opening.reply->progress() != drain_mark_.written) {
      moved_since(drain_mark_);
      arm_for(Phase::Respond);
    }
    return Step::Wait;
  }
  if (!result.is_ok()) return end(describe(result));
  conclude();
  if (!opening.reply->keep_alive() || last_reply_) return enter(Phase::Linger);
  opening.next_request();
  enter(Phase::ReadRequest);
  arm_for(Phase::ReadRequest);
  // a client that sends request upon request must not keep the others waiting
  if (opening.has_received() || client_->has_buffered()) resume_soon();
  return Step::Wait;
}

// Tokens and authentication have their place here; for now there is one target, open to all.
Step Session::authorize() {
  opening_->upgrade = ws::check_upgrade(opening_->head());
  if (const auto refusal = check_upgrade(incoming(), opening_->upgrade, *settings_)) {
    return refuse(*refusal);
  }
  const config::Config& config = settings_->config;
  const SessionLimits limits{.sessions = static_cast<std::size_t>(config.max_sessions),
                             .per_client = settings_->limits_of(opening_->visit.client()).sessions,
                             .per_target = static_cast<std::size_t>(config.max_sessions_per_target),
                             .once = config.run_once};
  auto place = machinery_.admission.admit(opening_->visit, settings_->target.to_string(), limits);
  if (!place) return refuse(too_many(place.error()));
  place_ = std::move(*place);
  return enter(Phase::Upgrade);
}

Step Session::upgrade() {
  const Opening& opening = *opening_;
  relay_ = std::make_unique<Relay>(*client_, opening.upgrade.payload, machinery_.pool,
                                   machinery_.scratch, machinery_.pipes);
  log_.open(settings_->target.to_string(), opening.head().path, secure_);
  begin_access(101);
  relay_->limit_control_frames(machinery_.loop.clock(),
                               static_cast<unsigned>(settings_->config.max_control_frames));
  relay_->send_first(ws::upgrade_response(opening.upgrade, std::time(nullptr)));
  if (settings_->recorder) {
    recording_ = settings_->recorder->begin(log_.tag(), [this] { advance(); });
    relay_->observe(recording_.get());
  }
  relay_->take_early(opening.behind_head());
  opening_.reset();
  client_ready_ = false;  // the head was read to its end; of more the loop will tell
  begin_lifetime();
  const config::Config& config = settings_->config;
  io::Dialer& dialer = settings_->dialer ? *settings_->dialer : machinery_.dialer;
  dial_ = dialer.dial(settings_->target,
                      {config.lookup_timeout, config.connect_timeout, config.tcp_user_timeout},
                      [this] { advance(); });
  return enter(Phase::Connect);
}

Step Session::connect() {
  CHECK(dial_);
  relay_->pump(client_ready_, false);
  // a client may send its Close at once: what it sent before still has to reach the target
  if (relay_->nothing_for_target()) {
    relay_->close(CloseReason::ClientGone, "");
    return give_up_dialling();
  }
  if (relay_->can_continue()) resume_soon();
  if (dial_->pending()) return Step::Wait;
  auto stream = dial_->take();
  if (!stream) {
    relay_->close(CloseReason::TargetUnreachable, stream.error().message());
    return give_up_dialling();
  }
  drop_dial();
  target_ = std::move(*stream);
  target_watch_.emplace(machinery_.loop, target_->fd(),
                        [this](io::Ready ready) { target_event(ready); });
  relay_->attach(*target_);
  return enter(Phase::Relay);
}

Step Session::relay() {
  relay_->pump(std::exchange(client_ready_, false), std::exchange(target_ready_, false));
  if (!relay_->both_open() || relay_->hung_up()) return enter(Phase::Drain);
  if (relay_->can_continue()) resume_soon();
  return Step::Wait;
}

Step Session::drain() {
  relay_->pump(client_ready_, target_ready_);
  if (relay_->done()) {
    conclude();
    return enter(Phase::Linger);
  }
  if (relay_->can_continue()) resume_soon();
  return Step::Wait;
}

Step Session::linger() {
  const IoResult result = client_->discard(machinery_.scratch);
  if (!result.is_ok() && result.kind != IoResult::Kind::Again) finish();
  return Step::Wait;
}

// --- from phase to phase ---

Step Session::enter(Phase next) {  // the only place phase_ changes, but for finish()
  log_.debug("%s -> %s", name(phase_), name(next));
  phase_ = next;
  switch (next) {
    case Phase::Respond: drain_mark_ = {}; [[fallthrough]];
    case Phase::Connect:
    case Phase::Relay: arm_for(next); break;
    case Phase::Drain:
      moved_since(drain_mark_);  // from here on it counts
      arm_for(next);
      break;
    case Phase::Linger:
      client_->shutdown_write();
      drain_mark_ = {0, io::unacknowledged_bytes(client_->fd())};
      arm_for(next);
      break;
    case Phase::Sniff:
    case Phase::TlsHandshake:
    case Phase::ReadRequest:
    case Phase::Authorize:
    case Phase::Upgrade:
    case Phase::Closed: break;  // one deadline for the whole handshake: it runs on
  }
  return Step::Next;
}

Step Session::reply_with(web::Reply reply) {
  log_.debug("reply: %d", reply.status);
  begin_access(reply.status);
  if (const auto hsts = settings_->config.hsts; secure_ && hsts.count() > 0) {
    http::add_line(reply.head, "Strict-Transport-Security",
                   "max-age=" + std::to_string(hsts.count()));
  }
  opening_->reply = std::make_unique<ReplySender>(std::move(reply));
  return enter(Phase::Respond);
}

Step Session::refuse(const Refusal& refusal) {
  if (log_.may_log(&LogLimits::refused)) {
    const std::string& why = refusal.for_operator.empty() ? refusal.detail : refusal.for_operator;
    log::info("%s refused: %d %s", log_.tag().c_str(), refusal.status, why.c_str());
  }
  return reply_with(
      web::plain_reply(asked(), refusal.status, refusal.detail, refusal.extra_lines, false));
}

Step Session::give_up_dialling() {
  drop_dial();
  relay_->give_up_target();
  return enter(Phase::Drain);
}

// The dial may be calling us right now, so it dies at the end of the turn.
void Session::drop_dial() {
  done_dial_ = std::move(dial_);
  end_of_turn_.run_soon();
}

// For bytes that no event announces. Few sessions ever need it.
void Session::resume_soon() {
  if (!resume_) {
    resume_ = std::make_unique<io::Timer>(machinery_.loop.timers(), [this] {
      client_ready_ = true;
      advance();
    });
  }
  resume_->arm(Duration::zero());
}

Step Session::end(std::string_view why) {
  log_.debug("%.*s", static_cast<int>(why.size()), why.data());
  finish();
  return Step::Wait;
}

// --- events ---

void Session::client_event(io::Ready ready) {
  client_ready_ = ready.read || ready.hang_up;
  if (ready.hang_up && relay_ && !client_watch_.interest().read) {
    survive([this] { relay_->client_hung_up(); });
  }
  advance();
}

void Session::target_event(io::Ready ready) {
  target_ready_ = ready.read || ready.hang_up;
  if (ready.hang_up && target_watch_ && target_watch_->interest().error) relay_->target_broke();
  advance();
}

void Session::update_interest() {
  switch (phase_) {
    case Phase::Sniff:
    case Phase::ReadRequest:
    case Phase::Linger: client_watch_.set({.read = true}); break;
    case Phase::TlsHandshake: client_watch_.set(client_->interest({})); break;
    case Phase::Respond: client_watch_.set({.write = true}); break;
    case Phase::Connect:
    case Phase::Relay:
    case Phase::Drain: client_watch_.set(relay_->client_interest()); break;
    case Phase::Authorize:
    case Phase::Upgrade:
    case Phase::Closed: break;
  }
  if (!target_watch_) return;
  target_watch_->set(phase_ == Phase::Linger ? io::Interest{} : relay_->target_interest());
}

// --- words ---

std::string Session::summary() const {
  return log_.summary(phase_, settings_->target.to_string(), relay_.get());
}

Incoming Session::incoming() const { return {opening_->head(), opening_->local, secure_}; }

web::Asked Session::asked() const { return {opening_->head(), std::time(nullptr)}; }

void Session::begin_access(int status) {
  std::string user;
  if (secure_) user = static_cast<const tls::TlsStream&>(*client_).peer_name();
  log_.begin_access(opening_->head(), status, std::move(user));
}

}  // namespace wsproxy::session
