#pragma once

namespace wsproxy::server {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace wsproxy::server
