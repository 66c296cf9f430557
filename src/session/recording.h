// --record: what goes through a session, into a file of its own for noVNC's player.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "io/event_loop.h"
#include "io/spawner.h"
#include "session/recording_writer.h"
#include "session/relay.h"

namespace wsproxy::session {

class Recording;

/// The daemon's end of the writer process, shared by all recordings.
///
/// What the writer has not taken yet is held back, 1 MiB of it at most for all together, and beyond that
/// has_room() is false: relays then wait with reading. So a slow disk slows recorded sessions down, and
/// nothing is lost. A disk that is full, or a writer that dies, ends recordings with an error in the log;
/// their sessions go on. A writer that died is started again for the next recording.
class Recorder {
 public:
  /// Starts the writer, for files `path`.1, `path`.2 and so on; it calls `after_fork` (to drop privileges,
  /// say) before it does anything else. Call before there are keys, sessions or a chroot; may block.
  /// Errors name the directory.
  static Result<std::unique_ptr<Recorder>> start(
      io::EventLoop& loop, const std::string& path, std::function<Status()> after_fork,
      std::shared_ptr<io::Spawner> spawner = std::make_shared<io::Spawner>());

  /// Waits up to 2 s for the writer to take what is left, and to end. All recordings are gone by then.
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// Begins a recording. `tag` names its session in the log; `wake` is called from the loop when
  /// has_room() has become true again.
  std::unique_ptr<Recording> begin(std::string tag, std::move_only_function<void()> wake);

  [[nodiscard]] pid_t writer() const { return writer_; }

 private:
  friend class Recording;
  Recorder(io::EventLoop& loop, std::string path, UniqueFd directory,
           std::shared_ptr<io::Spawner> spawner, std::size_t job);
  Status start_writer();
  void lose_writer();
  void read_replies();
  void take(const RecordReply& reply);
  void flush();
  void wake_all();
  void send(const Recording& recording, RecordKind kind, Bytes payload);
  [[nodiscard]] bool has_room() const { return queue_.size() - taken_ < kQueueLimit; }

  static constexpr std::size_t kQueueLimit = std::size_t{1024} * 1024;

  io::EventLoop& loop_;
  std::string path_;
  UniqueFd directory_;
  std::shared_ptr<io::Spawner> spawner_;
  std::size_t job_;
  pid_t writer_ = -1;
  UniqueFd socket_;
  std::unique_ptr<io::Watch> watch_;
  std::vector<std::byte> queue_;
  std::size_t taken_ = 0;  // from the front of queue_
  bool full_ = false;      // has_room() was false, and nobody was woken since
  std::string reply_;      // the part of a reply that has arrived
  std::uint32_t next_id_ = 1;
  std::map<std::uint32_t, Recording*> recordings_;
  io::Timer wake_;
};

/// One session's recording; its destructor ends it in good order.
///
/// An entry of the file is what one read of the target gave, or a run of client payload: what one read of
/// the client gave, however many messages that were (websockify: one message). noVNC's player skips these.
class Recording final : public RelayObserver {
 public:
  ~Recording() override;
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  void from_client(Bytes payload) override;
  void from_target(Bytes payload) override;
  [[nodiscard]] bool has_room() const override { return failed_ || recorder_.has_room(); }

 private:
  friend class Recorder;
  Recording(Recorder& recorder, std::uint32_t id, std::string tag,
            std::move_only_function<void()> wake);

  Recorder& recorder_;
  std::uint32_t id_;
  std::string tag_;
  std::shared_ptr<std::move_only_function<void()>> wake_;  // may end us while it runs
  SteadyTime began_;
  bool failed_ = false;  // nothing more is recorded
};

}  // namespace wsproxy::session
