#include "server/file_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "daemon/landlock.h"
#include "io/passing.h"

namespace wsproxy::server {
namespace {

constexpr off_t kMaxBytes = off_t{16} * 1024 * 1024;  // a bundle of authorities has 250 KiB
constexpr time_t kSeconds = 5;

// With its permissions, as some files are warned about when everybody may read them.
UniqueFd copy_of(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  if (info.st_size > kMaxBytes) return {};
  UniqueFd copy(::memfd_create("wsproxy", MFD_CLOEXEC));
  if (!copy || ::fchmod(copy.get(), info.st_mode & 0777) != 0) return {};
  while (true) {
    const ssize_t n =
        ::sendfile(copy.get(), file.get(), nullptr, static_cast<std::size_t>(kMaxBytes));
    if (n == 0) return copy;
    if (n < 0) return {};
  }
}

void send_copies(const FileReader::Read& reread, const io::Spawner::Order& order) {
  auto config = reread();
  // in a chroot, the daemon's paths are not ours
  if (!config || !config->chroot.empty()) ::_exit(1);
  for (const NamedFile& file : files_of(*config)) {
    const UniqueFd copy = copy_of(*file.path);
    if (copy) io::pass(order.fds.at(0).get(), *file.path, std::array{copy.get()});
  }
  ::_exit(0);
}

}  // namespace

std::vector<NamedFile> files_of(config::Config& config) {
  std::vector<NamedFile> files = {{"--key-password-file", &config.key_password_file},
                                  {"--cafile", &config.cafile},
                                  {"--ssl-target-ca", &config.ssl_target_ca},
                                  {"--ssl-target-cert", &config.ssl_target_cert},
                                  {"--ssl-target-key", &config.ssl_target_key}};
  const auto add = [&files](const char* option, std::vector<std::string>& paths) {
    for (std::string& path : paths) files.push_back({option, &path});
  };
  add("--cert", config.cert);
  add("--key", config.key);
  add("--ocsp", config.ocsp);
  std::erase_if(files, [](const NamedFile& file) { return file.path->empty(); });
  return files;
}

Error ReadableConfig::in_their_words(Error error) const {
  for (const auto& [copy, original] : names) {
    for (auto at = error.text.find(copy); at != std::string::npos; at = error.text.find(copy)) {
      error.text.replace(at, copy.size(), original);
    }
  }
  return error;
}

FileReader::FileReader(Read reread, std::shared_ptr<io::Spawner> spawner)
    : spawner_(std::move(spawner)),
      job_(spawner_->add([reread = std::move(reread)](const io::Spawner::Order& order) {
        send_copies(reread, order);
      })) {}

Result<ReadableConfig> FileReader::readable(const config::Config& config) const {
  ReadableConfig readable{config, {}, {}};
  const auto files = files_of(readable.config);
  const bool all = std::ranges::none_of(
      files, [](const NamedFile& file) { return daemon::is_out_of_reach(*file.path); });
  if (all) return readable;
  if (const Status fetched = fetch(readable); !fetched) return std::unexpected(fetched.error());
  return readable;
}

Status FileReader::fetch(ReadableConfig& readable) const {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return fail(Errc::Io, "socketpair", errno);
  }
  const UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  const timeval limit{.tv_sec = kSeconds, .tv_usec = 0};
  ::setsockopt(ours.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const auto reader = spawner_->spawn(job_, std::array{theirs.get()});
  if (!reader) return std::unexpected(reader.error());
  theirs.reset();
  std::map<std::string, std::string> copies;  // by what they are copies of
  while (auto passed = io::receive_passed(ours.get())) {
    if (passed->fds.size() != 1) continue;
    const std::string name = "/proc/self/fd/" + std::to_string(passed->fds[0].get());
    copies[passed->text] = name;
    readable.names.emplace_back(name, passed->text);
    readable.copies.push_back(std::move(passed->fds[0]));
  }
  ::kill(*reader, SIGKILL);  // it has ended, but for one that took too long
  ::waitpid(*reader, nullptr, 0);
  for (const NamedFile& file : files_of(readable.config)) {
    if (!daemon::is_out_of_reach(*file.path)) continue;
    const auto copy = copies.find(*file.path);
    if (copy == copies.end() || ::access(copy->second.c_str(), F_OK) != 0) {
      return fail(Errc::Io, std::string(file.option) + " " + *file.path +
                                ": the sandbox of this process has no access to files there; a "
                                "restart gives it");
    }
    *file.path = copy->second;
  }
  return {};
}

}  // namespace wsproxy::server
