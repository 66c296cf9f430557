// The target behind the proxy: a TCP server that does what a connection's first message says.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "bench/load/pattern.h"
#include "bench/load/stage.h"

namespace wsproxy::bench {

class TargetConnection : public Loop::Handler {
 public:
  TargetConnection(Stage& stage, UniqueFd fd);

  void ready(std::uint32_t events) override;
  /// Works out anew what to wait for.
  void rearm();
  /// Reads nothing any more, or goes on.
  void pause(bool paused);
  void make_urgent();
  [[nodiscard]] std::uint64_t received() const { return received_; }

 private:
  [[nodiscard]] bool may_send() const;
  void take(Bytes in);
  void take_hello(Bytes& in);
  void take_requests(Bytes in);
  void send_pattern();
  void flush();
  void close();

  Stage& stage_;
  UniqueFd fd_;
  std::uint32_t events_ = 0;
  bool urgent_ = false;
  bool paused_ = false;
  std::string hello_;
  bool is_known_ = false;
  Hello told_;
  Pattern sending_;
  Pattern expected_;
  std::string out_;
  std::string request_;
  std::uint64_t owed_ = 0;  // bytes that requests asked for
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
};

class TargetServer : public Loop::Handler {
 public:
  explicit TargetServer(Stage& stage);

  [[nodiscard]] int port() const;
  void ready(std::uint32_t events) override;

  std::size_t open = 0;  ///< connections

 private:
  Stage& stage_;
  UniqueFd fd_;
  // Closed ones stay: an event that was fetched before may still come. They are small.
  std::vector<std::unique_ptr<TargetConnection>> connections_;
};

}  // namespace wsproxy::bench
