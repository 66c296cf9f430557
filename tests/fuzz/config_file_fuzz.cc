// config/config_file: whatever is accepted and printed again says the same.
#include "config/config_file.h"

#include "base/check.h"
#include "config/listen_address.h"
#include "config/options.h"
#include "fuzz/fuzz_input.h"

using namespace wsproxy;

namespace {

config::Config without_secrets(config::Config config) {
  config.key_password.clear();
  return config;
}

void check_dump(const config::Config& config) {
  const auto again = config::parse_config_file(config::dump_config(config), "dump");
  CHECK(again && again->config == without_secrets(config));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::Input(data, size).text();
  const auto values = config::parse_config_file(text, "f");
  if (!values) {
    CHECK(values.error().code == Errc::Config && values.error().text.starts_with("f:"));
    return 0;
  }
  check_dump(values->config);
  for (const auto& [name, where] : values->given) {
    CHECK(where.starts_with("f:") && !config::option_named(name).has(config::kCommandLine));
  }

  auto config = config::combine({}, *values, false);
  if (!config) {
    CHECK(config.error().code == Errc::Config || config.error().code == Errc::Usage);
    return 0;
  }
  CHECK(!config->listen.empty() && config->target.empty() != config->wrap.empty());
  for (const std::string& address : config->listen) CHECK(config::parse_listen_address(address));
  config->warnings.clear();
  check_dump(*config);
  // read back, it means the same as well
  const auto again = config::parse_config_file(config::dump_config(*config), "dump");
  auto same = config::combine({}, *again, false);
  CHECK(same);
  same->warnings.clear();
  CHECK(*same == without_secrets(*config));
  CHECK(config::describe_changes(*config, *config).empty());
  return 0;
}
