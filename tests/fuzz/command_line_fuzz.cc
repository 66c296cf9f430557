// config/command_line, and the addresses that stand on it: one argument a line.
#include "config/command_line.h"

#include <string>
#include <vector>

#include "access/target.h"
#include "base/check.h"
#include "base/endpoint.h"
#include "config/config_file.h"
#include "fuzz/fuzz_input.h"

using namespace wsproxy;

namespace {

void check_limits(std::chrono::seconds value) {
  CHECK(value >= std::chrono::seconds(1) && value <= std::chrono::seconds(3600));
}

// What is in effect, written to a file and read back, is in effect again.
void check_dump(config::Config config) {
  config.key_password.clear();
  config.warnings.clear();
  config.config.clear();
  config.check = config.dump_config = config.foreground = false;
  const auto file = config::parse_config_file(config::dump_config(config), "dump");
  CHECK(file);
  auto again = config::combine({}, *file, false);
  CHECK(again);
  again->warnings.clear();
  CHECK(*again == config);
}

void check_address(std::string_view text) {
  const auto address = parse_host_port(text, true);
  if (address) {
    const bool v6 = address->host.find(':') != std::string::npos;
    const std::string again =
        (v6 ? "[" + address->host + "]" : address->host) + ":" + std::to_string(address->port);
    const auto second = parse_host_port(again, true);
    CHECK(second && second->host == address->host && second->port == address->port);
  } else {
    CHECK(address.error().code == Errc::Invalid);
  }
  // what may be connected to may be listened on, and has a host and a port
  const auto strict = parse_host_port(text, false);
  CHECK(!strict || (address && !strict->host.empty() && strict->port != 0));

  const auto target = access::parse_target(text);
  if (target) {
    const auto second = access::parse_target(target->to_string());
    CHECK(second && second->to_string() == target->to_string());
    CHECK(target->unix_path.empty() ? !target->host.empty() : target->host.empty());
    CHECK(target->unix_path.size() <= 107);
  } else {
    CHECK(target.error().code == Errc::Usage && !target.error().text.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::Input(data, size).text();
  std::vector<std::string> words;
  for (const std::string_view word : fuzz::split(text, '\n')) {
    words.emplace_back(word.substr(0, word.find('\0')));  // execve would do the same
  }
  std::vector<const char*> arguments;
  arguments.reserve(words.size());
  for (const std::string& word : words) arguments.push_back(word.c_str());

  const auto config = config::parse_command_line(arguments);
  if (!config) {
    CHECK(config.error().code == Errc::Usage && !config.error().text.empty());
  } else {
    check_limits(config->handshake_timeout);
    check_limits(config->lookup_timeout);
    check_limits(config->connect_timeout);
    check_limits(config->drain_timeout);
    check_limits(config->send_timeout);
    if (!config->help && !config->version) {
      CHECK(config->key.empty() || !config->cert.empty());
      CHECK(!config->ssl_only || !config->cert.empty());
      CHECK(!config->listen.empty() && config->target.empty() != config->wrap.empty());
      if (size * 4 < config::kMaxLineBytes) check_dump(*config);
    }
  }
  for (const std::string& word : words) check_address(word);
  return 0;
}
