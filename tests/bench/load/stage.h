// All that takes part in a run: browsers on one side of the proxy, the target on the other.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bench/load/loop.h"
#include "bench/load/options.h"
#include "bench/load/processes.h"
#include "bench/load/wire.h"

namespace wsproxy::bench {

class Browser;
class TargetServer;
class TargetConnection;

/// What a connection is for. The browser says so in its first message, the target goes by that.
enum class Task : std::uint32_t {
  Download = 1,  ///< the target sends without end
  Upload,        ///< the browser does
  Echo,          ///< 8 bytes to and fro
  Request,       ///< 10 bytes ask for so many
  Greeting,  ///< the target speaks first, 12 bytes, as a VNC server does; there is no first message
};

struct Hello {
  std::uint32_t magic = 0x57534231;
  Task task = Task::Download;
  std::uint32_t id = 0;
  std::uint32_t salt = 0;
};

constexpr std::string_view kGreeting = "RFB 003.008\n";

/// Bytes of payload, and messages.
struct Counters {
  std::uint64_t down_sent = 0;
  std::uint64_t down_got = 0;
  std::uint64_t up_sent = 0;
  std::uint64_t up_got = 0;
  std::uint64_t echoes = 0;
  std::uint64_t pings = 0;  ///< of the WebSocket, which were answered
};

class Stage {
 public:
  explicit Stage(Options given);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  Browser& add_browser(Task task);
  /// Connects the browsers from that one on, some at a time, until the target knows all of them.
  void open_browsers(std::size_t from = 0);
  void wake_all();  ///< after the switches below were changed

  /// Waits until `got` is all that was sent, though not for ever: what is slow may still be at it
  /// after 5 s. Gives up when no byte comes for 2 s.
  void drain(const std::uint64_t& got, const std::uint64_t& sent);

  Options options;
  Loop loop;
  Processes proxy;
  Counters count;
  bool sending_down = true;      ///< targets of downloads send
  bool sending_up = true;        ///< browsers of uploads send
  bool greeting = false;         ///< the target speaks first
  std::uint64_t down_limit = 0;  ///< bytes that each download gets; 0: no limit
  std::vector<std::unique_ptr<Browser>> browsers;
  std::unique_ptr<TargetServer> target;
  std::unique_ptr<TlsClient> tls;
};

}  // namespace wsproxy::bench
