// bench_load: browsers and the target of one proxy, in one process and one thread, and what the proxy needed.
//
// Every byte is compared with what was sent, so that a figure stands for work that was done.
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "bench/load/browser.h"
#include "bench/load/options.h"
#include "bench/load/report.h"
#include "bench/load/scenarios.h"
#include "bench/load/stage.h"
#include "bench/load/target.h"

namespace wsproxy::bench {
namespace {

struct Row {
  std::string_view name;
  void (*run)(Stage&, Report&);
};

constexpr Row kScenarios[] = {
    {"down", &download},      {"up", &upload},        {"vnc", &updates},
    {"small", &closed_loop},  {"rate", &steady_rate}, {"mixed", &beside_streams},
    {"connect", &connecting}, {"idle", &idle_memory}, {"growth", &growing},
    {"quiet", &quiet},        {"stalled", &stalled},  {"http", &files},
};

const Row* find_scenario(std::string_view name) {
  for (const Row& row : kScenarios) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

void allow_all_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void stay_on(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

// "PORT PID..." of the proxy, which is started when it can be told our target's port.
void read_proxy(Stage& stage) {
  std::string line;
  std::getline(std::cin, line);
  std::istringstream words(line);
  words >> stage.options.port;
  for (int pid = 0; words >> pid;) stage.options.pids.push_back(pid);
  if (stage.options.port == 0) give_up("no port of a proxy on standard input");
  stage.proxy = Processes(stage.options.pids);
}

// How several processes on one port share the work.
void add_shares(Report& report, const Stage& stage) {
  const std::vector<double> each = stage.proxy.cpu_of_each();
  for (std::size_t i = 0; each.size() > 1 && i < each.size(); ++i) {
    report.add("cpu_s_of_" + std::to_string(i + 1), each[i]);
  }
}

int run(int count, char** arguments) {
  Options options = parse_options(count, arguments);
  const Row* scenario = find_scenario(options.scenario);
  if (scenario == nullptr) {
    std::fprintf(stderr, "bench_load: there is no scenario %s\n", options.scenario.c_str());
    return 2;
  }
  ::signal(SIGPIPE, SIG_IGN);
  allow_all_descriptors();
  stay_on(options.cpu);
  Stage stage(std::move(options));
  std::printf("target %d\n", stage.target->port());
  std::fflush(stdout);
  read_proxy(stage);
  Report report;
  scenario->run(stage, report);
  add_shares(report, stage);
  report.print();
  return 0;
}

}  // namespace
}  // namespace wsproxy::bench

int main(int count, char** arguments) { return wsproxy::bench::run(count, arguments); }
