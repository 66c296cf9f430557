#include "session/recording.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace wsproxy::session {
namespace {

constexpr auto kEndLimit = std::chrono::seconds(2);
constexpr int kSocketBuffer = 1024 * 1024;

Bytes bytes_of(const RecordHeader& header) { return std::as_bytes(std::span(&header, 1)); }

int milliseconds_until(SteadyTime deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
}

}  // namespace

// --- the recorder ---

Result<std::unique_ptr<Recorder>> Recorder::start(io::EventLoop& loop, const std::string& path,
                                                  std::function<Status()> after_fork,
                                                  std::shared_ptr<io::Spawner> spawner) {
  const std::filesystem::path file(path);
  const std::string folder = file.has_parent_path() ? file.parent_path().string() : ".";
  if (!file.has_filename()) return fail(Errc::Invalid, "'" + path + "' is no file name");
  // Kept open: the file's place stays the same after a chroot and a change of the directory.
  UniqueFd directory(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail(Errc::Io, "cannot write to " + folder, errno);
  const std::size_t job =
      spawner->add([name = file.filename().string(),
                    after_fork = std::move(after_fork)](const io::Spawner::Order& order) {
        run_recording_writer(order.fds.at(0).get(), order.fds.at(1).get(), name, after_fork);
      });
  std::unique_ptr<Recorder> recorder(
      new Recorder(loop, path, std::move(directory), std::move(spawner), job));
  if (const Status status = recorder->start_writer(); !status) {
    return std::unexpected(status.error());
  }
  RecordReply ready;
  if (::recv(recorder->socket_.get(), &ready, sizeof ready, MSG_WAITALL) != sizeof ready) {
    return fail(Errc::Io, "the writer of recordings died at once");
  }
  if (ready.error != 0) return fail(Errc::Io, "cannot write to " + folder, ready.error);
  return recorder;
}

Recorder::Recorder(io::EventLoop& loop, std::string path, UniqueFd directory,
                   std::shared_ptr<io::Spawner> spawner, std::size_t job)
    : loop_(loop),
      path_(std::move(path)),
      directory_(std::move(directory)),
      spawner_(std::move(spawner)),
      job_(job),
      wake_(loop.timers(), [this] { wake_all(); }) {}

Recorder::~Recorder() {
  CHECK(recordings_.empty());
  watch_.reset();
  if (writer_ <= 0) return;
  const SteadyTime deadline = std::chrono::steady_clock::now() + kEndLimit;
  while (socket_ && taken_ < queue_.size()) {
    pollfd writable{socket_.get(), POLLOUT, 0};
    if (::poll(&writable, 1, milliseconds_until(deadline)) <= 0) break;
    const std::size_t before = taken_;
    flush();
    if (taken_ == before) break;
  }
  socket_.reset();
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, writer_, 0)));
  pollfd ended{pidfd.get(), POLLIN, 0};
  if (pidfd && ::poll(&ended, 1, milliseconds_until(deadline)) <= 0) {
    log::warning("recordings are still being written");  // it goes on without us
  }
  ::waitpid(writer_, nullptr, WNOHANG);
}

Status Recorder::start_writer() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return fail(Errc::Io, "cannot start the writer of recordings", errno);
  }
  UniqueFd ours(pair[0]);
  const UniqueFd theirs(pair[1]);
  ::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &kSocketBuffer, sizeof kSocketBuffer);
  const auto child = spawner_->spawn(job_, std::array{theirs.get(), directory_.get()});
  if (!child) return std::unexpected(child.error().in("cannot start the writer of recordings"));
  writer_ = *child;
  socket_ = std::move(ours);
  watch_ = std::make_unique<io::Watch>(loop_, socket_.get(), [this](io::Ready ready) {
    if (ready.read || ready.hang_up) read_replies();
    if (ready.write && socket_) flush();
  });
  watch_->set({.read = true});
  return {};
}

// Its recordings have ended with it.
void Recorder::lose_writer() {
  if (!socket_) return;
  log::error("the writer of recordings died; %zu recordings have ended", recordings_.size());
  watch_->set({});
  loop_.defer([dead = std::move(watch_), fd = std::make_unique<UniqueFd>(std::move(socket_))] {});
  ::kill(writer_, SIGKILL);
  ::waitpid(writer_, nullptr, 0);
  writer_ = -1;
  queue_.clear();
  taken_ = 0;
  reply_.clear();
  for (const auto& [id, recording] : recordings_) recording->failed_ = true;
  wake_.arm(Duration::zero());  // not from here: a relay may be sending right now
}

std::unique_ptr<Recording> Recorder::begin(std::string tag, std::move_only_function<void()> wake) {
  if (!socket_) {
    if (const Status status = start_writer(); !status) {
      log::error("%s %s", tag.c_str(), status.error().message().c_str());
    }
  }
  std::unique_ptr<Recording> recording(
      new Recording(*this, next_id_++, std::move(tag), std::move(wake)));
  recordings_[recording->id_] = recording.get();
  recording->failed_ = !socket_;
  send(*recording, RecordKind::Begin, {});
  return recording;
}

void Recorder::send(const Recording& recording, RecordKind kind, Bytes payload) {
  const auto time = loop_.clock().now() - recording.began_;
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  while (!recording.failed_) {
    const Bytes piece = payload.first(std::min(payload.size(), kMaxRecord));
    const RecordHeader header{recording.id_, static_cast<std::uint32_t>(milliseconds),
                              static_cast<std::uint32_t>(piece.size()), kind};
    const Bytes head = bytes_of(header);
    queue_.insert(queue_.end(), head.begin(), head.end());
    queue_.insert(queue_.end(), piece.begin(), piece.end());
    payload = payload.subspan(piece.size());
    if (payload.empty()) break;
  }
  flush();
}

void Recorder::flush() {
  while (socket_ && taken_ < queue_.size()) {
    const Bytes rest = Bytes(queue_).subspan(taken_);
    const ssize_t n = ::send(socket_.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) return lose_writer();
    taken_ += static_cast<std::size_t>(n);
  }
  if (taken_ == queue_.size()) {
    queue_.clear();
    taken_ = 0;
  } else if (taken_ > kQueueLimit / 2) {
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
  }
  if (watch_) watch_->set({.read = true, .write = !queue_.empty()});
  if (!has_room()) {
    full_ = true;
  } else if (full_ && queue_.size() - taken_ <= kQueueLimit / 2) {
    full_ = false;
    wake_.arm(Duration::zero());  // not from here: a relay may be sending right now
  }
}

void Recorder::wake_all() {
  std::vector<std::uint32_t> ids;
  ids.reserve(recordings_.size());
  for (const auto& [id, recording] : recordings_) ids.push_back(id);
  for (const std::uint32_t id : ids) {  // a session that is woken may end its recording
    const auto found = recordings_.find(id);
    if (found == recordings_.end()) continue;
    const auto wake = found->second->wake_;
    (*wake)();
  }
}

void Recorder::read_replies() {
  std::array<char, 64 * sizeof(RecordReply)> buffer{};
  const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return lose_writer();
  reply_.append(buffer.data(), static_cast<std::size_t>(n));
  while (reply_.size() >= sizeof(RecordReply)) {
    RecordReply reply;
    std::memcpy(&reply, reply_.data(), sizeof reply);
    reply_.erase(0, sizeof reply);
    take(reply);
  }
}

void Recorder::take(const RecordReply& reply) {
  const std::string file = path_ + "." + std::to_string(reply.number);
  const auto found = recordings_.find(reply.recording);
  const std::string tag = found == recordings_.end() ? "" : found->second->tag_ + " ";
  if (reply.error == 0) {
    if (reply.recording != 0) log::info("%srecorded in %s", tag.c_str(), file.c_str());
    return;
  }
  if (reply.recording == 0) {  // it could not even begin, and ends now
    log::error("cannot write recordings: %s", describe_errno(reply.error).c_str());
    return;
  }
  log::error("%sthe recording in %s has ended: %s", tag.c_str(), file.c_str(),
             describe_errno(reply.error).c_str());
  if (found != recordings_.end()) found->second->failed_ = true;
}

// --- one recording ---

Recording::Recording(Recorder& recorder, std::uint32_t id, std::string tag,
                     std::move_only_function<void()> wake)
    : recorder_(recorder),
      id_(id),
      tag_(std::move(tag)),
      wake_(std::make_shared<std::move_only_function<void()>>(std::move(wake))),
      began_(recorder.loop_.clock().now()) {}

Recording::~Recording() {
  try {
    recorder_.send(*this, RecordKind::End, {});
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): its file ends with the writer
  }
  recorder_.recordings_.erase(id_);
}

void Recording::from_client(Bytes payload) {
  recorder_.send(*this, RecordKind::FromClient, payload);
}

void Recording::from_target(Bytes payload) {
  recorder_.send(*this, RecordKind::FromTarget, payload);
}

}  // namespace wsproxy::session
