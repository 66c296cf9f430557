// Moves bytes between a WebSocket client and its target, both ways, without ever holding more than
// a ring's worth of either.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ring_buffer.h"
#include "base/token_bucket.h"
#include "io/conduit.h"
#include "io/stream.h"
#include "session/bulk.h"
#include "session/close_reason.h"
#include "ws/frame_decoder.h"
#include "ws/frame_encoder.h"

namespace wsproxy::session {

/// One direction of the relay. Open: takes bytes in. Draining: takes none, but what it holds still
/// goes out. Closed: all is out, and the receiver was told that nothing follows.
enum class Flow : std::uint8_t { Open, Draining, Closed };

/// Sees what is relayed: payload only, without frames, masks or base64.
class RelayObserver {
 public:
  virtual ~RelayObserver() = default;
  virtual void from_client(Bytes payload) = 0;
  virtual void from_target(Bytes payload) = 0;

  /// While false, nothing is read from either side. Once it is true again somebody has to have the
  /// interests worked out anew and call pump().
  [[nodiscard]] virtual bool has_room() const = 0;
};

/// The upstream flow (client to target) ends with a FIN to the target, the downstream flow with a
/// Close frame to the client (RFC 6455 section 7). Each goes its own way: after the target's EOF,
/// client frames that were on their way still reach the target until the client's Close; after the
/// client's Close, what it had sent before still reaches the target.
class Relay {
 public:
  /// `scratch` is shared by all sessions; nothing stays in it between two calls. Without `pipes` nothing
  /// is spliced.
  Relay(io::Stream& client, ws::Payload payload, BufferPool& pool, MutableBytes scratch,
        io::PipePool* pipes = nullptr);

  /// Sends `head` (the 101) before anything else.
  void send_first(std::string_view head);

  /// From now on `observer` sees everything; it outlives the relay, or its place is taken by null.
  void observe(RelayObserver* observer) { observer_ = observer; }

  /// A client that sends more Pings and Pongs than that a second is closed with 1008. `clock` outlives the
  /// relay.
  void limit_control_frames(const Clock& clock, unsigned per_second);

  /// Takes what came in the same segments as the request. At most a ring's worth.
  void take_early(Bytes bytes);

  /// From now on bytes flow to and from the target. Until then client frames are taken already, so
  /// pings are answered and a Close is seen.
  void attach(io::Stream& target);

  /// Begins the closing handshake from our side, unless one is under way.
  void close(CloseReason reason, std::string_view detail);

  /// Sends an empty Ping (RFC 6455 section 5.5.2) as soon as there is room for it.
  void ping() { ping_due_ = true; }

  /// Nobody will take what the client sends: from now on it is dropped, up to its Close frame.
  void give_up_target();

  /// The client's side hung up while nothing could be read from it.
  void client_hung_up();

  /// The target's connection broke while nothing could be read from it. What it had sent before still goes
  /// to the client, as far as that takes it.
  void target_broke() { target_broke_ = true; }

  /// Moves at most a ring's worth each way, as far as it goes without blocking. Reads only from a
  /// side that is ready to be read or has bytes inside, so that no system call is made for nothing.
  void pump(bool client_ready, bool target_ready);

  /// True if pump() could go on now though no descriptor will say so.
  [[nodiscard]] bool can_continue() const;

  [[nodiscard]] io::Interest client_interest() const;
  [[nodiscard]] io::Interest target_interest() const;

  [[nodiscard]] bool both_open() const { return up_ == Flow::Open && down_ == Flow::Open; }
  [[nodiscard]] bool done() const { return up_ == Flow::Closed && down_ == Flow::Closed; }
  [[nodiscard]] bool hung_up() const { return client_hung_up_ || target_broke_; }
  /// The client sends nothing more, and nothing of it is left.
  [[nodiscard]] bool nothing_for_target() const { return up_ == Flow::Closed; }
  [[nodiscard]] bool close_sent() const { return down_ == Flow::Closed; }

  /// Why it ended, for the log; valid once not both_open().
  [[nodiscard]] std::string_view ending() const;
  /// The code of the first Close frame, in whichever direction; None if there was none.
  [[nodiscard]] ws::CloseCode ending_code() const {
    return ending_ ? ending_->code : ws::CloseCode::None;
  }
  [[nodiscard]] std::uint64_t bytes_to_target() const { return to_target_; }
  [[nodiscard]] std::uint64_t bytes_to_client() const { return to_client_; }
  /// All that came from the client, frame headers and control frames as well.
  [[nodiscard]] std::uint64_t bytes_from_client() const { return from_client_; }
  /// All that left us for the client, frame headers and control frames as well.
  [[nodiscard]] std::uint64_t bytes_written_to_client() const { return written_to_client_; }
  /// Our Close is out, and the client may still send something before its own.
  [[nodiscard]] bool waits_for_close() const { return down_ == Flow::Closed && up_ == Flow::Open; }
  /// Grows while what is under way still leaves us: no change, no progress. Only the side that is being
  /// waited for counts, so that the other cannot keep a session alive.
  [[nodiscard]] std::uint64_t drained() const;

 private:
  struct PendingClose {
    ws::CloseCode code;
    std::string reason;
  };
  struct Ending {
    std::string text;
    ws::CloseCode code;
  };

  void pump_up(bool client_ready);
  void pump_down(bool target_ready);
  void read_client();
  void decode(Bytes in);
  bool handle(ws::FrameDecoder::Event event);
  bool may_send_control();
  void write_target();
  void read_target();
  void splice_target();
  void target_ended(const io::IoResult& result);
  void discard_target();
  void write_client();
  io::IoResult send_client();
  void append_due_control();
  void client_closed(Bytes payload);
  void client_unwritable(const std::string& how);
  void begin_close(ws::CloseCode code, std::string ending, std::string_view reason);
  void note_ending(std::string text, ws::CloseCode code);
  [[nodiscard]] bool discards_target() const;
  [[nodiscard]] bool may_read() const { return observer_ == nullptr || observer_->has_room(); }
  [[nodiscard]] bool owes_target() const;
  [[nodiscard]] bool owes_client() const;
  [[nodiscard]] bool reads_client() const;
  [[nodiscard]] bool reads_target() const;

  io::Stream& client_;
  io::Stream* target_ = nullptr;
  RelayObserver* observer_ = nullptr;
  MutableBytes scratch_;
  RingBuffer target_out_;  // payload on its way to the target
  RingBuffer client_out_;  // sealed frames on their way to the client
  ws::FrameDecoder decoder_;
  ws::FrameEncoder encoder_;
  Bulk bulk_;  // or a frame on its way to the client that never comes here
  Flow up_ = Flow::Open;
  Flow down_ = Flow::Open;
  bool target_given_up_ = false;  // writes to it are dropped
  bool target_ended_ = false;     // its EOF or failure was read
  bool client_hung_up_ = false;
  bool target_broke_ = false;
  std::unique_ptr<PendingClose> close_due_;
  std::unique_ptr<std::string>
      pong_due_;                    // only the last of several counts (RFC 6455 section 5.5.3)
  std::unique_ptr<Ending> ending_;  // once one is known
  bool ping_due_ = false;
  const Clock* control_clock_ = nullptr;  // null: no limit
  TokenBucket control_frames_;
  std::uint64_t from_client_ = 0;
  std::uint64_t to_target_ = 0;
  std::uint64_t to_client_ = 0;
  std::uint64_t written_to_target_ = 0;
  std::uint64_t written_to_client_ = 0;
  int target_write_error_ = 0;
};

}  // namespace wsproxy::session
