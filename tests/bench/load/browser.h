// A browser: a WebSocket to the proxy (or plain bytes, for a relay that speaks none) and what it does there.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <string>

#include "bench/load/frames.h"
#include "bench/load/pattern.h"
#include "bench/load/stage.h"
#include "bench/load/wire.h"

namespace wsproxy::bench {

/// As long as RFB's FramebufferUpdateRequest: its type, a byte, how many bytes are asked for.
constexpr std::size_t kRequestSize = 10;
constexpr char kRequestMark = 3;

class Browser : public Loop::Handler, private FrameReader::Handler {
 public:
  Browser(Stage& stage, Task task, std::uint32_t id);

  /// Connects; `on_open` follows. Again after it was closed, too.
  void start();
  void send_hello();
  /// Asks the target for `size` bytes; `on_update` tells of those that come.
  void request(std::uint64_t size);
  /// Sends 8 bytes that come back; `on_echo` is given `since`.
  void echo(std::uint64_t since);
  /// Ends in good order; `on_closed` follows.
  void finish();
  void abandon();  ///< closes at once

  void pause(bool paused);  ///< reads nothing any more, or goes on
  void rearm();             ///< works out anew what to wait for
  void make_urgent();

  std::function<void(Browser&)> on_open;
  std::function<void(Browser&)> on_update;
  std::function<void(Browser&)> on_closed;
  std::function<void(std::uint64_t since)> on_echo;
  TargetConnection* target = nullptr;  ///< the other end, once that knows

  [[nodiscard]] Task task() const { return task_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t missing() const {
    return missing_;
  }  ///< bytes requested, not yet here
  [[nodiscard]] std::uint64_t frames() const { return reader_.frames(); }
  [[nodiscard]] std::size_t waiting_echoes() const { return echoes_.size(); }
  [[nodiscard]] std::uint64_t started_at() const { return started_at_; }
  [[nodiscard]] std::uint64_t finishing_since() const { return finishing_since_; }
  [[nodiscard]] bool is_open() const { return state_ == State::Open; }
  [[nodiscard]] bool is_finishing() const { return state_ == State::Closing; }
  [[nodiscard]] bool is_resumed() const { return was_resumed_; }

  void ready(std::uint32_t events) override;

 private:
  enum class State : unsigned char { Closed, Connecting, Tls, Upgrade, Open, Closing };

  void connected(std::uint32_t events);
  void handshake();
  void opened();
  void read_some();
  void take(Bytes in);
  void take_answer(Bytes in);
  void take_echo(Bytes in);
  void on_payload(Bytes payload) override;
  void on_control(unsigned opcode, Bytes payload) override;
  [[nodiscard]] bool is_over() const override { return state_ == State::Closed; }

  void send(Bytes message);
  void flush();
  void fill();
  [[nodiscard]] bool may_fill() const;
  void ended(std::string_view why);

  Stage& stage_;
  Task task_;
  std::uint32_t id_;
  Wire wire_;
  State state_ = State::Closed;
  std::uint32_t events_ = 0;
  bool urgent_ = false;
  bool paused_ = false;
  bool said_hello_ = false;
  bool was_resumed_ = false;
  std::string out_;
  std::size_t flushed_ = 0;  // of out_
  std::string answer_;
  std::string accept_;
  FrameReader reader_;
  Pattern sending_;
  Pattern expected_;
  std::uint64_t received_ = 0;
  std::uint64_t missing_ = 0;
  std::deque<std::uint64_t> echoes_;
  std::uint64_t echoes_sent_ = 0;
  std::uint64_t echoes_got_ = 0;
  std::string echo_;  // what has arrived of the next one
  std::size_t greeted_ = 0;
  std::uint64_t started_at_ = 0;
  std::uint64_t finishing_since_ = 0;
};

}  // namespace wsproxy::bench
