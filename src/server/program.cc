#include <fcntl.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <span>

#include "base/log.h"
#include "config/command_line.h"
#include "config/help.h"
#include "server/server.h"
#include "server/version.h"

namespace wsproxy::server {
namespace {

constexpr int kOk = 0;
constexpr int kFailure = 1;
constexpr int kUsage = 2;
constexpr int kConfig = 78;  // EX_CONFIG of sysexits.h

// Output that somebody waits for: a full disk or closed pipe is an error like any other.
int print(const std::string& text) {
  const bool written = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  if (!written) std::perror("wsproxy: cannot write to standard output");
  return written ? kOk : kFailure;
}

// A service manager may start us with some of 0, 1 and 2 closed. The next sockets would take their place,
// and log lines would end up at a browser.
void fill_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
  }
}

// A session takes two descriptors, and the usual soft limit of 1,024 is there for programs that use
// select().
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int report(const Error& error) {
  std::fprintf(stderr, "wsproxy: %s\n", log::printable(error.message()).c_str());
  if (error.code == Errc::Config) return kConfig;
  if (error.code != Errc::Usage) return kFailure;
  std::fprintf(stderr, "Usage: %s\nTry 'wsproxy --help'.\n", config::usage_line().c_str());
  return kUsage;
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  const std::span all(argv, static_cast<std::size_t>(argc));
  const auto config = config::parse_command_line(all.subspan(all.empty() ? 0 : 1));
  if (!config) return report(config.error());
  if (config->help) return print(config::help_text());
  if (config->version) return print(std::string("wsproxy ") + kVersion + "\n");
  fill_standard_descriptors();
  raise_descriptor_limit();
  if (config->verbose) log::set_level(log::Level::Debug);

  auto server = Server::create(*config);
  if (!server) return report(server.error());
  print((*server)->ready_text());  // nobody reading it is no reason not to serve
  (*server)->run();
  return kOk;
}

}  // namespace wsproxy::server
