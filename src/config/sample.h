// The sample configuration file, systemd/wsproxy.conf, made from the option table.
#pragma once

#include <string>

namespace wsproxy::config {

/// Every key with its help and its default, all of it commented out.
std::string sample_file();

}  // namespace wsproxy::config
