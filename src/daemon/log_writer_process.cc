#include "daemon/log_writer_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

namespace wsproxy::daemon {
namespace {

constexpr std::size_t kReadBytes = std::size_t{64} * 1024;

bool is_special(const std::string& path) {
  return path == "/dev/stdout" || path == "/dev/stderr" || path == "/dev/null";
}

struct Place {
  std::string directory, name;
};

Place place_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

UniqueFd open_directory(const std::string& path) {
  return UniqueFd(::open(place_of(path).directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

Result<UniqueFd> open_special(const std::string& path) {
  const int fd =
      path == "/dev/null"
          ? ::open("/dev/null", O_WRONLY | O_CLOEXEC)
          : ::fcntl(path == "/dev/stdout" ? STDOUT_FILENO : STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (fd < 0) return fail(Errc::Io, "cannot open", errno);
  return UniqueFd(fd);
}

Error named(const WriterOptions& options, const Error& error) {
  return error.in(options.option + " " + options.path);
}

class Writer {
 public:
  Writer(WriterEnds ends, const WriterOptions& options)
      : options_(options), ends_(std::move(ends)), directory_(open_directory(options.path)) {}

  void prepare(bool first) {
    leave_everything_else();
    ::prctl(PR_SET_NAME, "wsproxy-log");
    (void)!::chdir("/");  // nobody's file system stays busy because of us
    // What ends the daemon reaches us as well, and its last lines are still to come: we go with its end of
    // the pipe. A file over RLIMIT_FSIZE is one more full disk.
    for (const int signal :
         {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ}) {
      ::signal(signal, SIG_IGN);
    }
    if (options_.after_fork) {
      if (const Status status = options_.after_fork(); !status) {
        tell(named(options_, status.error()).message());
        ::_exit(1);
      }
    }
    if (!ends_.file) reopen();
    if (first) tell(kReady.substr(0, kReady.size() - 1));
  }

  void run() {
    std::string waiting;  // the front of a line whose end has not been read yet
    std::vector<char> piece(kReadBytes);
    while (true) {
      const ssize_t n = ::read(ends_.lines.get(), piece.data(), piece.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      waiting.append(piece.data(), static_cast<std::size_t>(n));
      const std::size_t whole = waiting.rfind('\n') + 1;  // npos + 1 is 0
      take(std::string_view(waiting).substr(0, whole));
      waiting.erase(0, whole);
    }
    if (lost_ > 0) put("");
  }

 private:
  // Descriptors 0 to 2 are taken, so that nothing we open becomes one of them; the daemon's sockets, its
  // stderr among them, do not outlive it in our hands.
  void leave_everything_else() {
    std::array<UniqueFd*, 4> ours = {&ends_.lines, &ends_.status, &ends_.file, &directory_};
    constexpr int kFirst = 3;
    constexpr int kAbove = 16;
    for (UniqueFd* fd : ours) {
      if (*fd) fd->reset(::fcntl(fd->get(), F_DUPFD_CLOEXEC, kAbove));
    }
    UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (int fd = 0; fd < kFirst; ++fd) {
      if (null) ::dup2(null.get(), fd);
    }
    (void)null.release();  // it may be one of 0 to 2; else it is closed with all the others
    int next = kFirst;
    for (UniqueFd* fd : ours) {
      if (*fd) fd->reset(::dup3(fd->get(), next++, O_CLOEXEC));
    }
    ::close_range(static_cast<unsigned>(next), ~0U, 0);
  }

  void take(std::string_view lines) {
    while (!lines.empty()) {
      const std::size_t mark = lines.find(kReopenLine.front());
      if (mark != 0) put(lines.substr(0, mark));
      if (mark == std::string_view::npos) return;
      reopen();
      lines.remove_prefix(mark + kReopenLine.size());
    }
  }

  void reopen() {
    if (is_special(options_.path) && ends_.file) return;
    auto file = is_special(options_.path)
                    ? open_special(options_.path)
                    : open_log_file(directory_.get(), place_of(options_.path).name, options_.owner);
    if (file) {
      ends_.file = std::move(*file);
      mid_line_ = false;
      return;
    }
    tell(named(options_, file.error()).message() +
         (ends_.file ? "; lines go on to the file that was open" : "; lines are lost"));
  }

  // Writes whole lines. What does not go out is counted, and the count goes in front of the next lines.
  void put(std::string_view lines) {
    std::string out = mid_line_ ? "\n" : "";
    const bool says_gap = lost_ > 0 && options_.gap_line;
    if (says_gap) out += options_.gap_line(lost_, why_);
    const std::size_t gap = out.size();
    out += lines;
    const std::size_t done = write_all(out);
    if (done > 0) mid_line_ = out[done - 1] != '\n';
    if (lost_ > 0 && (says_gap ? done >= gap : done > gap)) {
      tell(options_.option + " " + options_.path + ": " + std::to_string(lost_) +
           " lines lost: " + describe_errno(why_));
      lost_ = 0;
    }
    if (done == out.size()) return;
    const std::string_view rest = std::string_view(out).substr(std::max(done, gap));
    if (lost_ == 0) {
      tell(options_.option + " " + options_.path + ": lines are lost: " + describe_errno(error_));
    }
    lost_ += static_cast<std::uint64_t>(std::ranges::count(rest, '\n'));
    why_ = error_;
  }

  // How many bytes of `text` went out; `error_` says why the rest did not.
  std::size_t write_all(std::string_view text) {
    std::size_t done = 0;
    while (done < text.size()) {
      const ssize_t n = ::write(ends_.file.get(), text.data() + done, text.size() - done);
      if (n > 0) {
        done += static_cast<std::size_t>(n);
      } else if (n < 0 && errno == EAGAIN) {  // a pipe as standard output
        pollfd writable{ends_.file.get(), POLLOUT, 0};
        ::poll(&writable, 1, -1);
      } else if (n == 0 || errno != EINTR) {
        error_ = n == 0 ? ENOSPC : errno;
        break;
      }
    }
    return done;
  }

  // The daemon looks with its next line; when it does not, the pipe is full one day, and that is that.
  void tell(std::string_view what) const {
    const std::string line = std::string(what) + "\n";
    (void)!::write(ends_.status.get(), line.data(), line.size());
  }

  const WriterOptions& options_;
  WriterEnds ends_;
  UniqueFd directory_;      // a chroot and the loss of root do not take it away
  std::uint64_t lost_ = 0;  // lines since the last that went out
  int why_ = 0;
  int error_ = 0;
  bool mid_line_ = false;  // the disk became full in the middle of a line
};

}  // namespace

Result<UniqueFd> open_log_file(int directory, const std::string& name,
                               const std::optional<FileOwner>& owner) {
  // not to be held up by a FIFO, nor to get a terminal for our own
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  constexpr int kTries = 3;  // between the two calls it may be rotated away
  if (directory < 0) return fail(Errc::Io, "its directory was not there at the start");
  UniqueFd file;
  for (int i = 0; i < kTries && !file; ++i) {
    file.reset(::openat(directory, name.c_str(), kFlags | O_CREAT | O_EXCL, 0640));
    if (file) {
      if (owner && ::fchown(file.get(), owner->user, owner->group) != 0) {
        return fail(Errc::Io, "cannot give it to the user the daemon runs as", errno);
      }
      return file;
    }
    if (errno != EEXIST) return fail(Errc::Io, "cannot create", errno);
    file.reset(::openat(directory, name.c_str(), kFlags));
    if (!file && errno != ENOENT) break;
  }
  if (!file && errno == ELOOP) return fail(Errc::Invalid, "is a symbolic link");
  if (!file && (errno == ENXIO || errno == EISDIR))
    return fail(Errc::Invalid, "is no regular file");
  if (!file) return fail(Errc::Io, "cannot open", errno);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail(Errc::Io, "cannot open", errno);
  if (!S_ISREG(status.st_mode)) return fail(Errc::Invalid, "is no regular file");
  if (status.st_nlink > 1) return fail(Errc::Invalid, "has another name as well (a hard link)");
  return file;
}

Result<UniqueFd> open_first(const WriterOptions& options) {
  auto file = is_special(options.path) ? open_special(options.path) : [&]() -> Result<UniqueFd> {
    const UniqueFd directory = open_directory(options.path);
    if (!directory) return fail(Errc::Io, "cannot open its directory", errno);
    return open_log_file(directory.get(), place_of(options.path).name, options.owner);
  }();
  if (!file) return std::unexpected(named(options, file.error()));
  return file;
}

void run_log_writer(WriterEnds ends, const WriterOptions& options, bool first) {
  Writer writer(std::move(ends), options);
  writer.prepare(first);
  writer.run();
  ::_exit(0);
}

}  // namespace wsproxy::daemon
