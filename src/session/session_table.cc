#include "session/session_table.h"

#include <algorithm>

namespace wsproxy::session {

void SessionTable::begin(std::unique_ptr<io::Stream> client, std::string peer,
                         std::shared_ptr<const Settings> settings, Admission::Visit visit) {
  const std::uint64_t id = next_id_++;
  auto on_closed = [this](Session& ended) {
    sessions_.extract(ended.id());  // out of the table before it ends: its end may walk it
    if (sessions_.empty()) on_empty_();
  };
  auto session =
      std::make_unique<Session>(id, std::move(client), std::move(peer), std::move(settings),
                                machinery_, on_closed, std::move(visit));
  Session& begun = *session;
  sessions_.emplace(id, std::move(session));
  begun.advance();
}

void SessionTable::shut_down() {
  // sessions leave the table in deferred work only, so the walk is safe
  for (const auto& [id, session] : sessions_) session->shut_down();
}

void SessionTable::cut() {
  for (const auto& [id, session] : sessions_) session->cut();
}

std::size_t SessionTable::ending() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      sessions_, [](const auto& entry) { return entry.second->phase() == Phase::Drain; }));
}

void SessionTable::cut_stuck() {
  for (const auto& [id, session] : sessions_) {
    if (!session->is_moving()) session->cut();
  }
}

std::vector<std::string> SessionTable::summaries() const {
  std::vector<std::uint64_t> ids;
  ids.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) ids.push_back(id);
  std::ranges::sort(ids);
  std::vector<std::string> lines;
  lines.reserve(ids.size());
  for (const std::uint64_t id : ids) lines.push_back(sessions_.at(id)->summary());
  return lines;
}

}  // namespace wsproxy::session
