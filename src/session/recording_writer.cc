#include "session/recording_writer.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <vector>

#include "base/hex.h"
#include "base/unique_fd.h"

namespace wsproxy::session {
namespace {

constexpr int kSocket = 3;
constexpr int kDirectory = 4;
constexpr std::size_t kBuffer = 4 * (sizeof(RecordHeader) + kMaxRecord);
constexpr std::uint32_t kMaxNumber = 999'999'999;

void append_byte(std::string& out, unsigned byte) {
  switch (byte) {
    case '\t': out += "\\t"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\\': out += "\\\\"; return;
    case '\'': out += "\\'"; return;
    default: break;
  }
  if (byte >= 0x20 && byte < 0x7f) {
    out += static_cast<char>(byte);
  } else {
    append_hex_escape(out, static_cast<char>(byte));
  }
}

// 0, or what went wrong (errno).
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

class Writer {
 public:
  explicit Writer(const std::string& name) : name_(name) {}

  void take(const RecordHeader& header, Bytes payload) {
    if (header.kind == RecordKind::Begin) return begin(header.recording);
    const auto found = files_.find(header.recording);
    if (found == files_.end()) return;  // dropped, and its end is on the way to the daemon
    line_.clear();
    if (header.kind == RecordKind::End) {
      line_ = kRecordingTail;
    } else {
      append_record(line_, header.kind, header.milliseconds, payload);
    }
    if (append(header.recording, found->second) && header.kind == RecordKind::End) {
      files_.erase(found);
    }
  }

  void end_all() {
    for (auto& [recording, file] : files_) (void)write_all(file.fd.get(), kRecordingTail);
  }

 private:
  struct File {
    UniqueFd fd;
    std::uint32_t number = 0;
    off_t whole = 0;  // bytes up to the end of the last whole line
  };

  void begin(std::uint32_t recording) {
    File file;
    for (int error = EEXIST; error == EEXIST;) {
      if (next_ > kMaxNumber) return reply(recording, 0, EEXIST);
      file.number = next_++;
      const std::string name = name_ + "." + std::to_string(file.number);
      file.fd.reset(::openat(kDirectory, name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
                             0600));
      error = file.fd ? 0 : errno;
      if (error != 0 && error != EEXIST) return reply(recording, file.number, error);
    }
    reply(recording, file.number, 0);
    line_ = kRecordingHead;
    append(recording, files_.emplace(recording, std::move(file)).first->second);
  }

  // False: that was the end of it, and `file` is gone.
  bool append(std::uint32_t recording, File& file) {
    const int error = write_all(file.fd.get(), line_);
    if (error == 0) {
      file.whole += static_cast<off_t>(line_.size());
      return true;
    }
    if (::ftruncate(file.fd.get(), file.whole) == 0 &&
        ::lseek(file.fd.get(), file.whole, SEEK_SET) == file.whole) {
      (void)write_all(file.fd.get(), kRecordingTail);
    }
    reply(recording, file.number, error);
    files_.erase(recording);
    return false;
  }

  // The daemon always reads, so this does not wait for long.
  static void reply(std::uint32_t recording, std::uint32_t number, int error) {
    const RecordReply reply{recording, number, error};
    (void)!::send(kSocket, &reply, sizeof reply, MSG_NOSIGNAL);
  }

  const std::string& name_;
  std::uint32_t next_ = 1;
  std::map<std::uint32_t, File> files_;
  std::string line_;
};

void become_writer(int socket, int directory) {
  // clear of each other first: either may have the other's number
  socket = ::fcntl(socket, F_DUPFD_CLOEXEC, kDirectory + 1);
  directory = ::fcntl(directory, F_DUPFD_CLOEXEC, kDirectory + 1);
  ::dup2(socket, kSocket);
  ::dup2(directory, kDirectory);
  ::close_range(kDirectory + 1, ~0U, 0);
  ::prctl(PR_SET_NAME, "wsproxy-record");
  // Control-C and a service manager's TERM reach us as well: we go when the daemon goes, by its EOF. A file
  // that outgrows its limit is an error of its write.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGXFSZ}) {
    ::signal(signal, SIG_IGN);
  }
}

}  // namespace

void append_record(std::string& out, RecordKind kind, std::uint32_t milliseconds, Bytes payload) {
  const char mark = kind == RecordKind::FromTarget ? '{' : '}';
  out += '\'';
  out += mark;
  out += std::to_string(milliseconds);
  out += mark;
  for (const std::byte b : payload) append_byte(out, std::to_integer<unsigned>(b));
  out += "',\n";
}

void run_recording_writer(int socket, int directory, const std::string& name,
                          const std::function<Status()>& after_fork) {
  become_writer(socket, directory);
  RecordReply ready;
  if (after_fork) {
    if (const Status status = after_fork(); !status) {
      ready.error = status.error().sys == 0 ? EPERM : status.error().sys;
    }
  }
  if (ready.error == 0 && ::faccessat(kDirectory, ".", W_OK | X_OK, AT_EACCESS) != 0) {
    ready.error = errno;
  }
  (void)!::send(kSocket, &ready, sizeof ready, MSG_NOSIGNAL);
  if (ready.error != 0) ::_exit(1);

  Writer writer(name);
  std::vector<std::byte> buffer(kBuffer);
  std::size_t size = 0;
  while (true) {
    const ssize_t n = ::recv(kSocket, buffer.data() + size, buffer.size() - size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    size += static_cast<std::size_t>(n);
    Bytes rest = Bytes(buffer).first(size);
    while (rest.size() >= sizeof(RecordHeader)) {
      RecordHeader header;
      std::memcpy(&header, rest.data(), sizeof header);
      if (rest.size() - sizeof header < header.size) break;
      writer.take(header, rest.subspan(sizeof header, header.size));
      rest = rest.subspan(sizeof header + header.size);
    }
    std::memmove(buffer.data(), rest.data(), rest.size());
    size = rest.size();
  }
  writer.end_all();
  ::_exit(0);
}

}  // namespace wsproxy::session
