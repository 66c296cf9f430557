// The access log: a line for every request when it has been answered, and for every WebSocket session when it
// has ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/log.h"
#include "http/request.h"

namespace wsproxy::session {

/// Text as it came from the client: it is escaped and cut when it is written. Empty text is written as "-".
struct AccessEntry {
  std::chrono::system_clock::time_point time;  ///< of the request
  std::uint64_t session = 0;
  std::string client;  ///< "10.0.0.7:51123"
  std::string user;    ///< who it is, if anybody asked
  std::string method;  ///< empty: there was no whole request
  std::string path;    ///< without the query
  int minor_version = 1;
  std::string referer;  ///< without query and fragment
  std::string user_agent;
  int status = 0;
  std::uint64_t bytes = 0;  ///< of the answer, head included; of a session what its target sent
  double duration = 0;      ///< seconds

  // of a session only
  bool websocket = false;
  std::string target;
  std::uint64_t bytes_to_target = 0;
  unsigned close_code = 0;  ///< 0: none
};

/// What of a request belongs into the access log: no query, neither its own nor that of the page it came
/// from, for tokens travel there.
AccessEntry access_entry(const http::RequestHead& head);

/// Apache's combined format and behind it key=value: session and duration, of a session also target,
/// to_target, to_client and close_code. Every field has at most 512 bytes of printable ASCII, the line at
/// most 4,096 with its newline.
std::string combined_line(const AccessEntry& entry);

/// The same as a JSON object.
std::string json_line(const AccessEntry& entry);

class AccessLog {
 public:
  enum class Format : std::uint8_t { Combined, Json };

  AccessLog(std::unique_ptr<log::Output> output, Format format)
      : output_(std::move(output)), format_(format) {}

  /// Never blocks; the log says how many lines were lost, once there is room again.
  void write(const AccessEntry& entry);

  void reopen() { output_->reopen(); }

 private:
  std::unique_ptr<log::Output> output_;
  Format format_;
  std::uint64_t lost_ = 0;
};

}  // namespace wsproxy::session
