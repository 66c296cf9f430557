// The program behind --, as the configuration wants it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/error.h"
#include "config/config.h"
#include "daemon/wrapped_program.h"

namespace wsproxy::server {

daemon::WrapMode wrap_mode(const config::Config& config);

/// Starts the program of `config.wrap`, which believes that it listens on `port`. After privileges were
/// dropped. `on_end` as WrappedProgram has it.
/// Errors: Usage when there is no port (0); else they name the program.
Result<std::unique_ptr<daemon::WrappedProgram>> start_wrapped(
    io::EventLoop& loop, const config::Config& config, std::uint16_t port,
    std::move_only_function<void(int)> on_end);

}  // namespace wsproxy::server
