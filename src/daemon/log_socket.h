// Messages to a log daemon's socket, which may be full, gone for a while, or another one after a restart.
#pragma once

#include <string>
#include <string_view>

#include "base/endpoint.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace wsproxy::daemon {

/// Datagrams to an IP address (UDP) or a Unix socket, or a Unix stream where that is what the path takes.
class LogSocket {
 public:
  explicit LogSocket(const SocketAddress& address) : address_(address) {}

  /// Connects anew. Errors: Io. send() does so by itself after a failure.
  Status connect();

  /// One message, without waiting. On a stream its newline goes behind it. False: lost.
  bool send(std::string_view message);

  /// From now on another address.
  void move_to(const SocketAddress& address);

  [[nodiscard]] const SocketAddress& address() const { return address_; }

 private:
  enum class Sent { Yes, Full, Broken };
  Sent send_once(std::string_view message);
  Sent send_stream(std::string_view message);

  SocketAddress address_;
  UniqueFd socket_;
  bool stream_ = false;
  std::string unsent_;  // the end of a message that a stream took in part
};

}  // namespace wsproxy::daemon
