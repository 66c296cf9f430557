// All sessions that are alive.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "session/session.h"

namespace wsproxy::session {

class SessionTable {
 public:
  /// `on_empty` is called when the last session has gone.
  SessionTable(const Machinery& machinery, std::move_only_function<void()> on_empty)
      : machinery_(machinery), on_empty_(std::move(on_empty)) {}

  /// Begins a session with a client that has just connected.
  void begin(std::unique_ptr<io::Stream> client, std::string peer,
             std::shared_ptr<const Settings> settings, Admission::Visit visit);

  /// Ends all sessions in good order; they go as their clients answer.
  void shut_down();

  /// Ends those that are left, at once.
  void cut();

  /// Ends those for which nothing has moved since the last call (or since they began to end).
  void cut_stuck();

  /// Each session's line for the operator, in the order of their numbers.
  [[nodiscard]] std::vector<std::string> summaries() const;

  [[nodiscard]] std::size_t size() const { return sessions_.size(); }

  /// How many WebSockets are on their way to the end. Walks them all.
  [[nodiscard]] std::size_t ending() const;

 private:
  Machinery machinery_;
  std::move_only_function<void()> on_empty_;
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, std::unique_ptr<Session>> sessions_;
};

}  // namespace wsproxy::session
