#include "daemon/log_sinks.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "base/log_output.h"
#include "daemon/log_journal.h"
#include "daemon/log_syslog.h"

namespace wsproxy::daemon {
namespace {

using log::Format;

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::unique_ptr<log::Sink> standard_error(const LogOptions& options) {
  const bool journal = is_journal_stream(STDERR_FILENO, std::getenv("JOURNAL_STREAM"));
  if (journal) {
    if (auto sink = JournalSink::open()) return std::move(*sink);
  }
  const Format format = options.json ? Format::Json : journal ? Format::Priority : Format::Text;
  return std::make_unique<log::OutputSink>(format,
                                           std::make_unique<log::DescriptorOutput>(STDERR_FILENO));
}

Result<std::unique_ptr<log::Output>> open_file(const LogOptions& options, std::string path,
                                               std::string option, bool of_records) {
  WriterOptions writer{std::move(path), std::move(option), options.owner, options.after_fork, {}};
  if (of_records) {
    const Format format = options.json ? Format::Json : Format::Text;
    writer.gap_line = [format](std::uint64_t lost, int sys) {
      const std::string text = std::to_string(lost) + " log lines lost: " + describe_errno(sys);
      return line_of(format, {log::Level::Warning, text, std::chrono::system_clock::now(), {}});
    };
  }
  return FileOutput::start(std::move(writer), system_clock(), options.spawner);
}

SyslogForm syslog_form(const LogOptions& options) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return {options.legacy_syslog, options.daemonized ? Facility::Daemon : Facility::User,
          host.data(), ::getpid()};
}

}  // namespace

Result<Logs> open_log_sinks(const LogOptions& options) {
  Logs logs;
  logs.sinks.push_back(standard_error(options));
  if (!options.file.empty()) {
    auto file = open_file(options, options.file, "--log-file", true);
    if (!file) return std::unexpected(file.error());
    logs.sinks.push_back(std::make_unique<log::OutputSink>(
        options.json ? Format::Json : Format::Text, std::move(*file)));
  }
  if (!options.syslog.empty()) {
    auto syslog = SyslogSink::open(options.syslog, syslog_form(options));
    if (!syslog) return std::unexpected(syslog.error().in("--syslog"));
    if ((*syslog)->has_name()) {
      logs.use_resolver = [sink = syslog->get()](io::Resolver* resolver) {
        sink->use_resolver(resolver);
      };
    }
    logs.sinks.push_back(std::move(*syslog));
  }
  if (options.access_file == "-") {
    logs.access = std::make_unique<log::DescriptorOutput>(STDOUT_FILENO);
  } else if (!options.access_file.empty()) {
    auto file = open_file(options, options.access_file, "--access-log", false);
    if (!file) return std::unexpected(file.error());
    logs.access = std::move(*file);
  }
  return logs;
}

}  // namespace wsproxy::daemon
