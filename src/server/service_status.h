// The one line that `systemctl status` shows of us.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "io/event_loop.h"

namespace wsproxy::server {

/// Sends the line when something has changed, at most once a second: a busy daemon changes all the
/// time, and every datagram wakes the service manager.
class ServiceStatus {
 public:
  /// `text` is called when a line is sent, and at no other time.
  ServiceStatus(io::EventLoop& loop, std::function<std::string()> text,
                std::function<void(const std::string&)> send);

  void changed();

 private:
  void send();

  io::EventLoop& loop_;
  std::function<std::string()> text_;
  std::function<void(const std::string&)> send_;
  std::optional<SteadyTime> sent_;
  std::string last_;
  io::Timer timer_;
};

}  // namespace wsproxy::server
