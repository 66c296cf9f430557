#include "config/load.h"

#include <cerrno>
#include <utility>

#include "config/command_line.h"
#include "config/config_file.h"

namespace wsproxy::config {
namespace {

struct File {
  Values values;
  std::string name;     // empty: there is none
  std::string warning;  // why it was left out
};

Result<File> read_file(const Arguments& arguments, const std::string& default_file) {
  File file;
  const std::string& asked = arguments.values.config.config;
  file.name = asked.empty() ? default_file : asked;
  const auto text = read_config_file(file.name);
  if (!text) {
    const Error& error = text.error();
    if (!asked.empty()) return std::unexpected(error);
    if (error.sys == ENOENT || error.sys == ENOTDIR) return File{};
    // The system's file may be the daemon's alone; whoever tries something by hand does not need it.
    if (error.sys != EACCES || arguments.positionals.empty()) return std::unexpected(error);
    return File{{}, "", error.message() + "; going on without it"};
  }
  auto values = parse_config_file(*text, file.name);
  if (!values) return std::unexpected(values.error());
  file.values = *std::move(values);
  return file;
}

}  // namespace

Result<Config> load(std::span<const char* const> arguments, bool inherited_sockets,
                    const std::string& default_file) {
  auto parsed = parse_arguments(arguments);
  if (!parsed) return std::unexpected(parsed.error());
  const bool wants_file = !parsed->values.config.help && !parsed->values.config.version;
  auto file = wants_file ? read_file(*parsed, default_file) : File{};
  if (!file) return std::unexpected(file.error());
  auto config = combine(*std::move(parsed), file->values, inherited_sockets);
  if (!config) return config;
  config->config = file->name;
  if (!file->warning.empty()) config->warnings.push_back(std::move(file->warning));
  return config;
}

}  // namespace wsproxy::config
