#include "server/wrap.h"

#include <utility>

namespace wsproxy::server {
namespace {

// Of a program that has not asked for the limit that we have raised for ourselves: beyond 1,024, programs
// that use select() break.
constexpr std::uint64_t kProgramDescriptors = 1024;

}  // namespace

daemon::WrapMode wrap_mode(const config::Config& config) {
  if (config.wrap_mode == "ignore") return daemon::WrapMode::Ignore;
  return config.wrap_mode == "respawn" ? daemon::WrapMode::Respawn : daemon::WrapMode::Exit;
}

Result<std::unique_ptr<daemon::WrappedProgram>> make_wrapped(
    io::EventLoop& loop, const config::Config& config, std::move_only_function<void(int)> on_end,
    std::shared_ptr<io::Spawner> spawner) {
  daemon::WrapOptions options;
  options.argv = config.wrap;
  options.mode = wrap_mode(config);
  options.descriptors = kProgramDescriptors;
  auto rebind = daemon::find_rebind();
  if (!rebind) return std::unexpected(rebind.error());
  options.rebind = std::move(*rebind);
  return std::make_unique<daemon::WrappedProgram>(loop, std::move(options), std::move(on_end),
                                                  std::move(spawner));
}

}  // namespace wsproxy::server
