#include "session/session_log.h"

#include <array>
#include <chrono>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include "base/log.h"

namespace wsproxy::session {

std::string for_log(std::string_view text) { return log::escape(text.substr(0, 512)); }

SessionLog::SessionLog(std::uint64_t id, std::string peer, const Machinery& machinery)
    : id_(id),
      peer_(std::move(peer)),
      machinery_(machinery),
      began_(machinery.loop.clock().now()) {}

std::string SessionLog::tag() const { return "[s" + std::to_string(id_) + " " + peer_ + "]"; }

bool SessionLog::may_log(LogLimits::Kind LogLimits::* kind) const {
  return machinery_.log_limits == nullptr || (machinery_.log_limits->*kind).allow();
}

void SessionLog::debug(const char* format, ...) const {
  if (!log::enabled(log::Level::Debug)) return;
  std::array<char, 1201> text{};
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size(), format, arguments);
  va_end(arguments);
  log::debug("%s %s", tag().c_str(), text.data());
}

void SessionLog::open(const std::string& target, std::string_view path, bool secure) {
  const std::array fields = {log::Field{"session", id_}, log::Field{"client", peer_},
                             log::Field{"target", target}, log::Field{"path", path}};
  log::info(fields, "%s open target=%s path=\"%s\" tls=%s", tag().c_str(), target.c_str(),
            for_log(path).c_str(), secure ? "yes" : "no");
  open_ = true;
}

void SessionLog::close(const std::string& target, const Relay& relay, std::string_view more) {
  if (!std::exchange(open_, false)) return;
  std::string reason(relay.ending());
  if (!reason.empty() && !more.empty()) reason += "; ";
  reason += more;
  const double duration = seconds_since(began_);
  const auto code = static_cast<unsigned>(relay.ending_code());
  const std::array fields = {log::Field{"session", id_},
                             log::Field{"client", peer_},
                             log::Field{"target", target},
                             log::Field{"reason", reason},
                             log::Field{"close_code", std::uint64_t{code}},
                             log::Field{"bytes_to_target", relay.bytes_to_target()},
                             log::Field{"bytes_to_client", relay.bytes_to_client()},
                             log::Field{"duration", duration}};
  log::info(fields,
            "%s closed reason=\"%s\" code=%u to_target=%" PRIu64 " to_client=%" PRIu64
            " duration=%.3fs",
            tag().c_str(), for_log(reason).c_str(), code, relay.bytes_to_target(),
            relay.bytes_to_client(), duration);
}

void SessionLog::begin_access(const http::RequestHead& head, int status, std::string user) {
  if (machinery_.access_log == nullptr) return;
  access_ = std::make_unique<PendingAccess>(access_entry(head), machinery_.loop.clock().now());
  access_->entry.session = id_;
  access_->entry.client = peer_;
  access_->entry.user = std::move(user);
  access_->entry.status = status;
}

void SessionLog::end_access(std::uint64_t bytes) {
  if (!access_) return;
  access_->entry.bytes = bytes;
  write(std::move(access_));
}

void SessionLog::end_access(const std::string& target, const Relay& relay) {
  if (!access_) return;
  AccessEntry& entry = access_->entry;
  entry.websocket = true;
  entry.target = target;
  entry.bytes = relay.bytes_to_client();
  entry.bytes_to_target = relay.bytes_to_target();
  entry.close_code = static_cast<unsigned>(relay.ending_code());
  write(std::move(access_));
}

void SessionLog::write(std::unique_ptr<PendingAccess> access) {
  access->entry.duration = seconds_since(access->began);
  machinery_.access_log->write(access->entry);
}

std::string SessionLog::summary(Phase phase, const std::string& target, const Relay* relay) const {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), "%s age=%.0fs", name(phase), seconds_since(began_));
  std::string line = tag() + " " + text.data();
  if (relay == nullptr) return line;
  std::snprintf(text.data(), text.size(), " to_target=%" PRIu64 " to_client=%" PRIu64,
                relay->bytes_to_target(), relay->bytes_to_client());
  return line + " target=" + target + text.data();
}

double SessionLog::seconds_since(SteadyTime time) const {
  return std::chrono::duration<double>(machinery_.loop.clock().now() - time).count();
}

}  // namespace wsproxy::session
