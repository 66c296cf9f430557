// The program behind --, as the configuration wants it.
#pragma once

#include <functional>
#include <memory>

#include "base/error.h"
#include "config/config.h"
#include "daemon/wrapped_program.h"

namespace wsproxy::server {

daemon::WrapMode wrap_mode(const config::Config& config);

/// The program of `config.wrap`, not started yet. `on_end` and `spawner` as WrappedProgram has them.
/// Errors: NotFound (rebind.so).
Result<std::unique_ptr<daemon::WrappedProgram>> make_wrapped(
    io::EventLoop& loop, const config::Config& config, std::move_only_function<void(int)> on_end,
    std::shared_ptr<io::Spawner> spawner);

}  // namespace wsproxy::server
