// What the load generator is told on its command line: a scenario, then NAME=VALUE.
#pragma once

#include <string>
#include <vector>

namespace wsproxy::bench {

struct Options {
  std::string scenario;
  int port = 0;           ///< where the proxy listens
  std::vector<int> pids;  ///< the proxy's processes, their children not among them

  bool tls = false;
  bool raw = false;      ///< the proxy speaks no WebSocket
  bool resume = false;   ///< connect: go on with the TLS session of the connection before
  bool upwards = false;  ///< mixed, slow: from the browser to the target
  double seconds = 1;    ///< how long to measure
  double warmup = 0.3;
  int cpu = -1;            ///< to stay on
  int connections = 0;     ///< 0: as many as the scenario has
  int concurrent = 8;      ///< connections that open at a time
  int rate = 0;            ///< echoes a second, all connections together; 0: the scenario's own
  int streams = 4;         ///< mixed: beside the echoes
  int sessions = 2000;     ///< idle, growth, quiet
  int frame = 16384;       ///< up: payload bytes in a frame
  int transfer = 1 << 20;  ///< idle: bytes each session moves before it goes idle
  int stalled = 1 << 30;   ///< slow: bytes that wait to be sent to whoever does not read
  std::string path = "/websockify";
  std::string file;  ///< http: what the answer has to be
};

/// Ends with usage on standard error when they are wrong.
Options parse_options(int count, char** arguments);

}  // namespace wsproxy::bench
