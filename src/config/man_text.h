// What the man pages say about options, made from the option table.
#pragma once

#include <string>

namespace wsproxy::config {

/// The OPTIONS section of man/wsproxy.8: a list for each heading, as mdoc.
std::string man_options();

/// The OPTIONS section of man/wsproxy.conf.5.
std::string man_keys();

}  // namespace wsproxy::config
