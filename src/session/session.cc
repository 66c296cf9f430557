#include "session/session.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <utility>

#include "base/check.h"
#include "base/endpoint.h"
#include "base/log.h"
#include "io/plain_stream.h"
#include "tls/sniff.h"
#include "tls/tls_stream.h"
#include "web/page.h"

namespace wsproxy::session {
namespace {

using io::IoResult;

constexpr std::size_t kReadBytes = std::size_t{16} * 1024;  // at once, while there is no relay

// A fatal alert, handshake_failure (RFC 8446 section 6), for a TLS client where there is no TLS.
constexpr std::array kNoTlsAlert = {std::byte{0x15}, std::byte{0x03}, std::byte{0x01},
                                    std::byte{0x00}, std::byte{0x02}, std::byte{0x02},
                                    std::byte{0x28}};

std::string for_log(std::string_view text) { return log::escape(text.substr(0, 512)); }

}  // namespace

Session::Session(std::uint64_t id, std::unique_ptr<io::Stream> client, std::string peer,
                 std::shared_ptr<const Settings> settings, const Machinery& machinery,
                 std::move_only_function<void()> on_closed)
    : id_(id),
      peer_(std::move(peer)),
      settings_(std::move(settings)),
      machinery_(machinery),
      on_closed_(std::move(on_closed)),
      began_(machinery.loop.clock().now()),
      client_(std::move(client)),
      opening_(std::make_unique<Opening>()),
      client_watch_(machinery.loop, client_->fd(),
                    [this](io::Ready ready) { client_event(ready); }),
      deadline_(machinery.loop.timers(), [this] { out_of_time(); }),
      resume_(machinery.loop.timers(), [this] {
        client_ready_ = true;
        advance();
      }) {
  arm_for(Phase::Sniff);
}

Session::~Session() = default;

void Session::advance() {
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
  if (may_log(&LogLimits::tls_failed)) {
    log::info("%s TLS client on a port without TLS: no --cert was given", tag().c_str());
  }
  const std::array parts = {Bytes(kNoTlsAlert)};
  client_->write(parts);
  return enter(Phase::Linger);
}

Step Session::tls_handshake() {
  auto& stream = static_cast<tls::TlsStream&>(*client_);
  const IoResult result = stream.handshake();
  if (result.kind == IoResult::Kind::Again) return Step::Wait;
  if (!result.is_ok()) {
    if (may_log(&LogLimits::tls_failed)) {
      log::info("%s TLS handshake failed: %s", tag().c_str(), stream.handshake_failure().c_str());
    }
    return enter(Phase::Linger);
  }
  log::debug("%s %s", tag().c_str(), stream.version());
  if (const std::string who = stream.peer_name(); !who.empty()) {
    log::info("%s client certificate of \"%s\"", tag().c_str(), for_log(who).c_str());
  }
  return enter(Phase::ReadRequest);
}

Step Session::read_request() {
  Opening& opening = *opening_;
  opening.head = {};
  while (true) {
    switch (opening.scanner.scan(opening.received)) {
      case Parse::Done: return dispatch();
      case Parse::Bad: return refuse(opening.scanner.status(), "bad request head");
      case Parse::NeedMore: break;
    }
    const MutableBytes room = machinery_.scratch.first(kReadBytes);
    const IoResult result = client_->read(room);
    if (result.kind == IoResult::Kind::Again) return Step::Wait;
    if (!result.is_ok()) {
      const bool partial = !opening.received.empty();
      if (partial && may_log(&LogLimits::broken_off)) {
        log::info("%s client went away in the middle of a request", tag().c_str());
      }
      return end("client went away");
    }
    const Bytes got = room.first(result.bytes);
    opening.received.insert(opening.received.end(), got.begin(), got.end());
  }
}

// A whole head is there: a page, a file, or an upgrade?
Step Session::dispatch() {
  Opening& opening = *opening_;
  const Bytes head_bytes = Bytes(opening.received).first(opening.scanner.head_bytes());
  if (const int status = http::parse_request_head(head_bytes, {}, opening.head); status != 0) {
    opening.head = {};
    return refuse(status, "bad request head");
  }
  const http::RequestHead& head = opening.head;
  log::debug("%s request: %s %s", tag().c_str(), for_log(head.method).c_str(),
             for_log(head.path).c_str());
  if (const auto refusal = check_host()) return *refusal;
  if (!secure_ && settings_->config.ssl_only) return refuse_plain();
  if (!http::is_known_method(head.method)) return refuse(501, "unknown method");
  if (ws::is_upgrade(head)) return enter(Phase::Authorize);
  if (head.method != "GET" && head.method != "HEAD") {
    return refuse(405, "only pages are served here", "Allow: GET, HEAD\r\n");
  }
  if (http::has_body(head)) return refuse(400, "a request for a page has no body");
  return reply_with(settings_->web
                        ? settings_->web->answer(asked())
                        : web::answer_from_page(asked(), settings_->config.frame_ancestors));
}

// Plain HTTP where TLS is a must. A browser is led on, but only to a name that was configured: whoever
// answers with what stands in Host leads anybody anywhere. The port is the one it came to.
Step Session::refuse_plain() {
  const http::RequestHead& head = opening_->head;
  const auto& names = settings_->config.server_name;
  const auto name =
      std::ranges::find_if(names, [](const std::string& text) { return !text.contains('*'); });
  const bool page = (head.method == "GET" || head.method == "HEAD") && !ws::is_upgrade(head);
  if (!page || name == names.end() || !head.target.starts_with('/')) {
    return refuse(400, "this port speaks TLS only: use https://, or wss:// for a WebSocket");
  }
  const bool bare_v6 = name->contains(':') && !name->starts_with('[');
  std::string url = "https://" + (bare_v6 ? "[" + *name + "]" : *name);
  if (const auto port = local_address(client_->fd()).port(); port != 0 && port != 443) {
    url += ":" + std::to_string(port);
  }
  url += head.target;
  return refuse(308, "this port speaks TLS only", "Location: " + url + "\r\n");
}

// Is it us that the client means? A request without a Host (HTTP/1.0) does not come from a browser.
std::optional<Step> Session::check_host() {
  const std::string_view host = opening_->head.host;
  if (host.empty()) return std::nullopt;
  const auto authority = access::parse_authority(host);
  if (!authority) return refuse(400, "bad Host");
  if (settings_->names.includes(*authority, local_address(client_->fd())) ||
      (settings_->tls && settings_->tls->is_certified_for(authority->host))) {
    return std::nullopt;
  }
  return refuse(
      421, "this server does not know itself by the name in Host; see --server-name", "",
      "Host is " + for_log(host) + ": to serve it, say --server-name " + for_log(authority->host));
}

// Is the page that asks one of ours? Who sends no Origin is not a browser.
std::optional<Step> Session::check_origin() {
  const http::RequestHead& head = opening_->head;
  const auto count = head.count("origin");
  if (count == 0) return std::nullopt;
  const auto origin = head.field("origin");
  if (!origin) return refuse(400, "more than one Origin");
  const auto ours = access::parse_authority(head.host);
  if (settings_->origins.allows(*origin, ours, secure_)) return std::nullopt;
  return refuse(403, "pages of this origin may not connect; see --origin", "",
                "a page of " + for_log(*origin) + " asks for " + for_log(head.host) +
                    ": to let it, say --origin " + for_log(*origin));
}

Step Session::respond() {
  Opening& opening = *opening_;
  const IoResult result = opening.reply->send(*client_, machinery_.scratch);
  if (opening.reply->progress() != std::exchange(progress_seen_, opening.reply->progress())) {
    arm_for(Phase::Respond);
  }
  if (result.kind == IoResult::Kind::Again) return Step::Wait;
  if (!result.is_ok()) return end(describe(result));
  end_access();
  if (!opening.reply->keep_alive() || last_reply_) return enter(Phase::Linger);
  const auto used = static_cast<std::ptrdiff_t>(opening.scanner.head_bytes());
  opening.received.erase(opening.received.begin(), opening.received.begin() + used);
  opening.scanner = http::HeadScanner();
  opening.reply.reset();
  enter(Phase::ReadRequest);
  arm_for(Phase::ReadRequest);
  // a client that sends request upon request must not keep the others waiting
  if (!opening.received.empty() || client_->has_buffered()) resume_.arm(Duration::zero());
  return Step::Wait;
}

// Tokens and authentication have their place here; for now there is one target, open to all.
Step Session::authorize() {
  opening_->upgrade = ws::check_upgrade(opening_->head);
  const ws::Upgrade& upgrade = opening_->upgrade;
  if (upgrade.status == 101) {
    if (const auto refusal = check_origin()) return *refusal;
    const config::Config& config = settings_->config;
    place_ =
        machinery_.admission.admit(static_cast<std::size_t>(config.max_sessions), config.run_once);
    if (place_) return enter(Phase::Upgrade);
    return refuse(503, "as many sessions as there may be are open", "Retry-After: 10\r\n");
  }
  return refuse(upgrade.status, upgrade.reason,
                upgrade.status == 405   ? "Allow: GET, HEAD\r\n"
                : upgrade.status == 426 ? "Sec-WebSocket-Version: 13\r\n"
                                          "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                        : "");
}

Step Session::upgrade() {
  const Opening& opening = *opening_;
  const std::string target = settings_->target.to_string();
  const std::array fields = {log::Field{"session", id_}, log::Field{"client", peer_},
                             log::Field{"target", target}, log::Field{"path", opening.head.path}};
  log::info(fields, "%s open target=%s path=\"%s\" tls=%s", tag().c_str(), target.c_str(),
            for_log(opening.head.path).c_str(), secure_ ? "yes" : "no");
  session_logged_ = true;
  begin_access(101);
  relay_ = std::make_unique<Relay>(*client_, opening.upgrade.payload, machinery_.pool,
                                   machinery_.scratch);
  relay_->send_first(ws::upgrade_response(opening.upgrade, std::time(nullptr)));
  if (settings_->recorder) {
    recording_ = settings_->recorder->begin(tag(), [this] { advance(); });
    relay_->observe(recording_.get());
  }
  relay_->take_early(Bytes(opening.received).subspan(opening.scanner.head_bytes()));
  opening_.reset();
  const config::Config& config = settings_->config;
  io::Dialer& dialer = settings_->dialer ? *settings_->dialer : machinery_.dialer;
  dial_ = dialer.dial(settings_->target, {config.lookup_timeout, config.connect_timeout},
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
  if (relay_->can_continue()) resume_.arm(Duration::zero());
  if (dial_->pending()) return Step::Wait;
  auto stream = dial_->take();
  if (!stream) {
    relay_->close(CloseReason::TargetUnreachable, stream.error().message());
    return give_up_dialling();
  }
  drop_dial();
  target_ = std::move(*stream);
  target_watch_ = std::make_unique<io::Watch>(machinery_.loop, target_->fd(),
                                              [this](io::Ready ready) { target_event(ready); });
  relay_->attach(*target_);
  return enter(Phase::Relay);
}

Step Session::relay() {
  relay_->pump(std::exchange(client_ready_, false), std::exchange(target_ready_, false));
  if (!relay_->both_open() || relay_->hung_up()) return enter(Phase::Drain);
  if (relay_->can_continue()) resume_.arm(Duration::zero());
  return Step::Wait;
}

Step Session::drain() {
  relay_->pump(client_ready_, target_ready_);
  if (relay_->done()) {
    log_end();
    end_access();
    return enter(Phase::Linger);
  }
  if (relay_->can_continue()) resume_.arm(Duration::zero());
  return Step::Wait;
}

Step Session::linger() {
  const IoResult result = client_->read(machinery_.scratch);
  if (!result.is_ok() && result.kind != IoResult::Kind::Again) finish();
  return Step::Wait;
}

// --- from phase to phase ---

Step Session::enter(Phase next) {         // the only place phase_ changes, but for finish()
  if (log::enabled(log::Level::Debug)) {  // the tag is not put together for nothing
    log::debug("%s %s -> %s", tag().c_str(), name(phase_), name(next));
  }
  phase_ = next;
  switch (next) {
    case Phase::Respond:
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
      if (opening_->received.empty()) break;  // idle between two requests
      refuse(408, "the request did not arrive in time");
      advance();
      return;
    case Phase::TlsHandshake:
      if (may_log(&LogLimits::tls_failed)) {
        log::info("%s TLS handshake not complete in time", tag().c_str());
      }
      break;
    case Phase::Respond:
      if (may_log(&LogLimits::broken_off)) {
        log::info("%s client takes nothing of the reply", tag().c_str());
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
  const Keepalive::Signs signs{relay_->bytes_from_client(), io::acknowledged_bytes(client_->fd()),
                               io::unacknowledged_bytes(client_->fd())};
  switch (keepalive_.tick(signs)) {
    case Keepalive::Verdict::Alive:
    case Keepalive::Verdict::Wait: break;
    case Keepalive::Verdict::Ping: relay_->ping(); break;
    case Keepalive::Verdict::Dead: relay_->close(CloseReason::ClientSilent, ""); break;
  }
  arm_for(Phase::Relay);
  advance();
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

Step Session::reply_with(web::Reply reply) {
  log::debug("%s reply: %d", tag().c_str(), reply.status);
  begin_access(reply.status);
  opening_->reply = std::make_unique<ReplySender>(std::move(reply));
  return enter(Phase::Respond);
}

Step Session::refuse(int status, std::string_view detail, std::string_view extra_lines,
                     const std::string& for_operator) {
  // a head that could not be parsed may be a HEAD's: no body then (RFC 9110 section 9.3.2)
  http::RequestHead& head = opening_->head;
  if (http::method_of(opening_->received) == "HEAD") head.method = "HEAD";
  if (may_log(&LogLimits::refused)) {
    const std::string why = for_operator.empty() ? std::string(detail) : for_operator;
    log::info("%s refused: %d %s", tag().c_str(), status, why.c_str());
  }
  return reply_with(web::plain_reply(asked(), status, detail, extra_lines, false));
}

Step Session::give_up_dialling() {
  drop_dial();
  relay_->give_up_target();
  return enter(Phase::Drain);
}

// The dial may be calling us right now, so it dies at the end of the turn.
void Session::drop_dial() {
  machinery_.loop.defer([dial = std::move(dial_)] {});
}

Step Session::end(std::string_view why) {
  log::debug("%s %.*s", tag().c_str(), static_cast<int>(why.size()), why.data());
  finish();
  return Step::Wait;
}

void Session::finish() {
  if (phase_ == Phase::Closed) return;
  log_end();
  end_access();
  phase_ = Phase::Closed;
  deadline_.cancel();
  resume_.cancel();
  client_watch_.set({});
  if (target_watch_) target_watch_->set({});
  // moved out: it destroys this session, and would destroy itself while it runs
  machinery_.loop.defer([closed = std::move(on_closed_)]() mutable { closed(); });
}

void Session::shut_down() {
  switch (phase_) {
    case Phase::Sniff:
    case Phase::TlsHandshake:
    case Phase::ReadRequest:
    case Phase::Authorize:
    case Phase::Upgrade: finish(); return;
    case Phase::Connect:
      relay_->close(CloseReason::ShuttingDown, "");
      give_up_dialling();
      advance();
      break;
    case Phase::Relay:
    case Phase::Drain:
      relay_->close(CloseReason::ShuttingDown, "");
      advance();
      break;
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

// --- events ---

void Session::client_event(io::Ready ready) {
  client_ready_ = ready.read || ready.hang_up;
  if (ready.hang_up && relay_ && !client_watch_.interest().read) relay_->client_hung_up();
  advance();
}

void Session::target_event(io::Ready ready) {
  target_ready_ = ready.read || ready.hang_up;
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

std::string Session::tag() const { return "[s" + std::to_string(id_) + " " + peer_ + "]"; }

std::string Session::summary() const {
  const std::chrono::duration<double> age = machinery_.loop.clock().now() - began_;
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), "%s age=%.0fs", name(phase_), age.count());
  std::string line = tag() + " " + text.data();
  if (!relay_) return line;
  std::snprintf(text.data(), text.size(), " to_target=%" PRIu64 " to_client=%" PRIu64,
                relay_->bytes_to_target(), relay_->bytes_to_client());
  return line + " target=" + settings_->target.to_string() + text.data();
}

web::Asked Session::asked() const { return {opening_->head, std::time(nullptr)}; }

bool Session::may_log(LogLimits::Kind LogLimits::* kind) const {
  return machinery_.log_limits == nullptr || (machinery_.log_limits->*kind).allow();
}

void Session::begin_access(int status) {
  if (machinery_.access_log == nullptr) return;
  access_ =
      std::make_unique<PendingAccess>(access_entry(opening_->head), machinery_.loop.clock().now());
  access_->entry.session = id_;
  access_->entry.client = peer_;
  if (secure_) access_->entry.user = static_cast<const tls::TlsStream&>(*client_).peer_name();
  access_->entry.status = status;
}

// The request that was under way has its answer, or will never have it.
void Session::end_access() {
  if (!access_) return;
  const auto access = std::move(access_);
  AccessEntry& entry = access->entry;
  if (relay_) {
    entry.websocket = true;
    entry.target = settings_->target.to_string();
    entry.bytes = relay_->bytes_to_client();
    entry.bytes_to_target = relay_->bytes_to_target();
    entry.close_code = static_cast<unsigned>(relay_->ending_code());
  } else if (opening_ && opening_->reply) {
    entry.bytes = opening_->reply->progress();
  }
  entry.duration =
      std::chrono::duration<double>(machinery_.loop.clock().now() - access->began).count();
  machinery_.access_log->write(entry);
}

void Session::log_end() {
  if (!std::exchange(session_logged_, false)) return;
  relay_->observe(nullptr);
  recording_.reset();
  std::string reason = relay_->ending();
  if (!reason.empty() && !ending_.empty()) reason += "; ";
  reason += ending_;
  const std::chrono::duration<double> duration = machinery_.loop.clock().now() - began_;
  const auto code = static_cast<unsigned>(relay_->ending_code());
  const std::string target = settings_->target.to_string();
  const std::array fields = {log::Field{"session", id_},
                             log::Field{"client", peer_},
                             log::Field{"target", target},
                             log::Field{"reason", reason},
                             log::Field{"close_code", std::uint64_t{code}},
                             log::Field{"bytes_to_target", relay_->bytes_to_target()},
                             log::Field{"bytes_to_client", relay_->bytes_to_client()},
                             log::Field{"duration", duration.count()}};
  log::info(fields,
            "%s closed reason=\"%s\" code=%u to_target=%" PRIu64 " to_client=%" PRIu64
            " duration=%.3fs",
            tag().c_str(), for_log(reason).c_str(), code, relay_->bytes_to_target(),
            relay_->bytes_to_client(), duration.count());
}

}  // namespace wsproxy::session
