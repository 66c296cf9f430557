#include "config/values.h"

#include <algorithm>
#include <array>
#include <utility>

#include "config/listen_address.h"
#include "config/options.h"

namespace wsproxy::config {
namespace {

constexpr std::array<std::string_view, 3> kAddresses = {"listen", "unix-listen", "inetd"};
constexpr std::array<std::string_view, 3> kTargets = {"target", "unix-target", "wrap"};

struct Pair {
  std::string_view first, second;
};

constexpr std::array kNeeds = {
    Pair{"key", "cert"},
    Pair{"ocsp", "cert"},
    Pair{"verify-client", "ssl-only"},
    Pair{"legacy-syslog", "syslog"},
    Pair{"ssl-target-ca", "ssl-target"},
    Pair{"ssl-target-pin", "ssl-target"},
    Pair{"ssl-target-insecure", "ssl-target"},
    Pair{"ssl-target-cert", "ssl-target"},
    Pair{"ssl-target-key", "ssl-target-cert"},
};

constexpr std::array kExclude = {
    Pair{"target", "unix-target"},
    Pair{"target", "wrap"},
    Pair{"unix-target", "wrap"},
    Pair{"chroot", "wrap"},  // it would be looked for in there, and rebind.so as well
    Pair{"key-password", "key-password-file"},
    Pair{"ssl-target-insecure", "ssl-target-ca"},
    Pair{"ssl-target-insecure", "ssl-target-pin"},
    Pair{"ssl-target-pin", "ssl-target-ca"},
    Pair{"daemon", "foreground"},
};

bool has_any(const Values& values, const std::array<std::string_view, 3>& options) {
  return std::ranges::any_of(options, [&](std::string_view name) { return values.has(name); });
}

bool is_one_of(std::string_view name, const std::array<std::string_view, 3>& options) {
  return std::ranges::find(options, name) != options.end();
}

// Whether a switch is on or anything else has a value.
bool is_set(const Config& config, std::string_view name) {
  const Option& option = option_named(name);
  const auto values = values_of(config, option);
  return !values.empty() && !(option.is_switch() && values.front() == "no");
}

class Combiner {
 public:
  Combiner(Arguments arguments, const Values& file, bool inherited_sockets)
      : arguments_(std::move(arguments)), file_(file), inherited_(inherited_sockets) {}

  Result<Config> run() {
    if (auto status = place_positionals(); !status) return std::unexpected(status.error());
    merge();
    if (auto status = check_pairs(); !status) return std::unexpected(status.error());
    if (auto status = work_out_addresses(); !status) return std::unexpected(status.error());
    if (auto status = work_out_target(); !status) return std::unexpected(status.error());
    work_out_the_rest();
    return std::move(all_.config);
  }

 private:
  static std::unexpected<Error> usage(std::string text) {
    return fail(Errc::Usage, std::move(text));
  }

  // As the operator wrote it.
  std::string shown(std::string_view name) const {
    const auto found = all_.given.find(name);
    if (found != all_.given.end() && !found->second.empty()) return std::string(name);
    return name == "wrap" ? "-- PROGRAM" : "--" + std::string(name);
  }

  std::unexpected<Error> blame(std::string_view name, const std::string& text) const {
    const auto found = all_.given.find(name);
    if (found == all_.given.end() || found->second.empty()) return usage(text);
    return fail(Errc::Config, found->second + ": " + text);
  }

  Status place(std::string_view option, const std::string& value) {
    Values& values = arguments_.values;
    if (option == "listen") {
      if (const auto address = parse_listen_address(value); !address)
        return usage("listen address " + address.error().text);
      values.config.listen = {value};
    } else {
      values.config.target = value;
    }
    values.given[option] = "";
    return {};
  }

  // Which of address and target the arguments without a dash are depends on what is known already.
  Status place_positionals() {
    const auto& words = arguments_.positionals;
    if (words.empty()) return {};
    const bool address = has_any(arguments_.values, kAddresses);
    const bool target = has_any(arguments_.values, kTargets);
    const std::size_t room = (address ? 0U : 1U) + (target ? 0U : 1U);
    if (words.size() > room) {
      std::string why;
      if (address) why = "the address to listen on is given already";
      if (target) why += std::string(address ? ", and " : "") + "the target is given already";
      return usage("too many arguments: '" + words[room] + "'" + (why.empty() ? "" : ": " + why));
    }
    if (words.size() == 2) {
      if (auto status = place("listen", words[0]); !status) return status;
      return place("target", words[1]);
    }
    if (room == 1) return place(address ? "target" : "listen", words[0]);
    const bool known_address = inherited_ || has_any(file_, kAddresses);
    const bool known_target = has_any(file_, kTargets);
    if (known_address && known_target) {
      return usage("is '" + words[0] +
                   "' the address to listen on or the target? Say --listen or --target");
    }
    if (!known_address && !known_target) {
      return usage("expected a target HOST:PORT behind '" + words[0] + "'");
    }
    return place(known_address ? "target" : "listen", words[0]);
  }

  // What the command line says replaces all that the file says to the same end.
  bool is_overruled(std::string_view name) const {
    const Values& ours = arguments_.values;
    if (is_one_of(name, kAddresses)) return has_any(ours, kAddresses);
    return std::ranges::any_of(kExclude, [&](const Pair& pair) {
      return (pair.first == name && ours.has(pair.second)) ||
             (pair.second == name && ours.has(pair.first));
    });
  }

  void merge() {
    for (const auto& [name, where] : file_.given) {
      if (is_overruled(name)) continue;
      copy(option_named(name), file_.config, all_.config);
      all_.given[name] = where;
    }
    for (const auto& [name, where] : arguments_.values.given) {
      copy(option_named(name), arguments_.values.config, all_.config);
      all_.given[name] = where;
    }
  }

  Status check_pairs() const {
    for (const auto& [first, second] : kExclude) {
      if (is_set(all_.config, first) && is_set(all_.config, second))
        return blame(second, shown(first) + " and " + shown(second) + " exclude each other");
    }
    if (all_.config.daemon && all_.config.access_log == "-") {
      return blame("access-log", shown("access-log") + " - and " + shown("daemon") +
                                     " exclude each other: a daemon has no standard output");
    }
    for (const auto& [option, needed] : kNeeds) {
      if (is_set(all_.config, option) && !is_set(all_.config, needed)) {
        const bool dashes = shown(option).starts_with('-');
        return blame(option,
                     shown(option) + " needs " + (dashes ? "--" : "") + std::string(needed));
      }
    }
    const std::size_t keys = all_.config.key.size();
    const std::size_t certificates = all_.config.cert.size();
    if (keys != 0 && keys != certificates) {
      return blame("key", shown("key") + ": " + std::to_string(keys) + " for " +
                              std::to_string(certificates) +
                              " certificates; give one for each, in the same order, or none");
    }
    return {};
  }

  Status work_out_addresses() {
    Config& config = all_.config;
    if (!config.unix_listen.empty()) {
      const std::string address = "unix:" + std::exchange(config.unix_listen, "");
      if (const auto fits = parse_listen_address(address); !fits)
        return blame("unix-listen", shown("unix-listen") + ": " + fits.error().text);
      config.listen.push_back(address);
    }
    if (std::exchange(config.inetd, false)) config.listen.emplace_back("fd:0");
    if (config.listen.empty() && inherited_) config.listen.emplace_back("systemd");
    if (config.listen.empty()) {
      return usage(has_any(all_, kTargets) ? "expected [ADDR:]PORT to listen on"
                                           : "expected [ADDR:]PORT and a target");
    }
    const bool uses_inherited = std::ranges::any_of(config.listen, [](const std::string& address) {
      return address == "systemd" || address.starts_with("fd:");
    });
    if (inherited_ && !uses_inherited) {
      config.warnings.emplace_back(
          "the sockets that the service manager passes are not used: no address to listen on is "
          "'systemd'");
    }
    return {};
  }

  Status work_out_target() {
    Config& config = all_.config;
    if (!config.unix_target.empty())
      config.target = "unix:" + std::exchange(config.unix_target, "");
    if (config.target.empty() && config.wrap.empty())
      return usage("expected a target: HOST:PORT, unix:PATH, or a program behind --");
    if (!config.wrap.empty() && config.wrap.front().empty())
      return blame("wrap", shown("wrap") + ": the program's name is empty");
    return {};
  }

  void work_out_the_rest() {
    Config& config = all_.config;
    for (const Option& option : options()) {
      if (!option.warning.empty() && is_set(config, option.name)) warn(option.name, option.warning);
    }
    if (config.ssl_version == "tlsv1_1")
      warn("ssl-version", "TLS 1.1 is broken; every browser since 2014 speaks 1.2");
    if (std::exchange(config.no_sandbox, false)) config.sandbox = false;
    if (config.traffic) config.verbose = true;
    if (config.verbose) config.log_level = "debug";
    if (config.ssl_only && config.cert.empty()) config.cert = {"self.pem"};
  }

  void warn(std::string_view name, std::string_view text) {
    const auto found = all_.given.find(name);
    const std::string where =
        found == all_.given.end() || found->second.empty() ? std::string() : found->second + ": ";
    all_.config.warnings.push_back(where + shown(name) + ": " + std::string(text));
  }

  Arguments arguments_;
  const Values& file_;
  bool inherited_;
  Values all_;
};

}  // namespace

Result<Config> combine(Arguments arguments, const Values& file, bool inherited_sockets) {
  if (arguments.values.config.help || arguments.values.config.version)
    return std::move(arguments.values.config);
  return Combiner(std::move(arguments), file, inherited_sockets).run();
}

}  // namespace wsproxy::config
