#include "daemon/log_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <utility>
#include <vector>

#include "daemon/log_writer_process.h"

namespace wsproxy::daemon {
namespace {

// Room for some thousand lines while the disk is busy. A pipe packs them; a socket's queue counts several
// hundred bytes for each.
constexpr int kPipeBytes = 1 << 20;
constexpr int kFlushLimitMs = 500;
constexpr auto kReplaceAfter = std::chrono::seconds(10);

struct Pipe {
  UniqueFd reader, writer;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(Errc::Io, "cannot make a pipe", errno);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void set_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

// What is there, up to the other end's close if it blocks.
std::string read_line(int fd) {
  std::string line;
  char c = 0;
  while (::read(fd, &c, 1) == 1) {
    line += c;
    if (c == '\n') break;
  }
  return line;
}

}  // namespace

FileOutput::FileOutput(WriterOptions options, const Clock& clock,
                       std::shared_ptr<io::Spawner> spawner)
    : options_(std::move(options)),
      clock_(clock),
      spawner_(std::move(spawner)),
      job_(spawner_->add([options = options_](io::Spawner::Order order) {
        const bool first = order.fds.size() > 2;
        UniqueFd file = first ? std::move(order.fds[2]) : UniqueFd();
        run_log_writer({std::move(order.fds.at(0)), std::move(order.fds.at(1)), std::move(file)},
                       options, first);
      })) {}

Result<std::unique_ptr<FileOutput>> FileOutput::start(WriterOptions options, const Clock& clock,
                                                      std::shared_ptr<io::Spawner> spawner) {
  ::signal(SIGPIPE, SIG_IGN);  // a writer that is gone is an error of the write
  auto file = open_first(options);
  if (!file) return std::unexpected(file.error());
  // the daemon leaves this directory, and a writer that replaces the first one looks for its file again
  if (!options.path.starts_with('/')) {
    std::error_code ignored;
    options.path = std::filesystem::current_path(ignored) / options.path;
  }
  std::unique_ptr<FileOutput> output(new FileOutput(std::move(options), clock, std::move(spawner)));
  if (const Status status = output->fork_writer(std::move(*file)); !status) {
    return std::unexpected(status.error());
  }
  return output;
}

Status FileOutput::fork_writer(UniqueFd file) {
  const bool first = static_cast<bool>(file);
  auto lines = make_pipe();
  if (!lines) return std::unexpected(lines.error());
  auto status = make_pipe();
  if (!status) return std::unexpected(status.error());
  set_nonblocking(status->writer.get());
  std::vector<int> fds = {lines->reader.get(), status->writer.get()};
  if (first) fds.push_back(file.get());
  const auto pid = spawner_->spawn(job_, fds);
  if (!pid) return std::unexpected(pid.error().in("cannot start the log's writer"));
  pid_ = *pid;
  started_ = clock_.now();
  lines_ = std::move(lines->writer);
  status_ = std::move(status->reader);
  status->writer.reset();  // or its end would never be seen
  set_nonblocking(lines_.get());
  ::fcntl(lines_.get(), F_SETPIPE_SZ, kPipeBytes);
  if (first) {
    std::string answer = read_line(status_.get());
    if (answer != kReady) {
      if (answer.ends_with('\n')) answer.pop_back();
      return fail(Errc::Io,
                  answer.empty() ? options_.option + ": its writer ended at once" : answer);
    }
  }
  set_nonblocking(status_.get());
  return {};
}

FileOutput::~FileOutput() {
  lines_.reset();
  pollfd ended{status_.get(), 0, 0};  // its end shows as POLLHUP
  if (status_) ::poll(&ended, 1, kFlushLimitMs);
  if (pid_ > 0) ::waitpid(pid_, nullptr, (ended.revents & POLLHUP) != 0 ? 0 : WNOHANG);
}

bool FileOutput::write(std::string_view line) {
  if (reopen_due_ && !send(kReopenLine)) return false;
  reopen_due_ = false;
  return send(line);
}

void FileOutput::reopen() { reopen_due_ = !send(kReopenLine); }

// At most PIPE_BUF bytes: all or nothing (pipe(7)).
bool FileOutput::send(std::string_view line) {
  while (true) {
    if (lines_ && ::write(lines_.get(), line.data(), line.size()) >= 0) return true;
    if (lines_ && errno == EINTR) continue;
    if (lines_ && errno != EPIPE) return false;
    if (clock_.now() - started_ < kReplaceAfter) return false;
    replace();
    if (!lines_) return false;
  }
}

// The file is opened by the writer this time, for here it could block.
void FileOutput::replace() {
  lines_.reset();
  if (pid_ > 0) ::waitpid(pid_, nullptr, WNOHANG);
  pid_ = -1;
  started_ = clock_.now();
  (void)fork_writer({});  // tried again with a later line
}

std::string FileOutput::take_trouble() {
  std::array<char, 4096> text{};
  const ssize_t n = ::read(status_.get(), text.data(), text.size());
  if (n <= 0) return {};
  std::string trouble(text.data(), static_cast<std::size_t>(n));
  if (trouble.ends_with('\n')) trouble.pop_back();
  std::ranges::replace(trouble, '\n', ';');
  return trouble;
}

}  // namespace wsproxy::daemon
