#include "session/session_table.h"

namespace wsproxy::session {

void SessionTable::begin(std::unique_ptr<io::Stream> client, std::string peer,
                         std::shared_ptr<const Settings> settings) {
  const std::uint64_t id = next_id_++;
  auto session = std::make_unique<Session>(id, std::move(client), std::move(peer),
                                           std::move(settings), machinery_, [this, id] {
                                             sessions_.erase(id);
                                             if (sessions_.empty()) on_empty_();
                                           });
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

}  // namespace wsproxy::session
