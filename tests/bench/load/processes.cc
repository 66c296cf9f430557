#include "bench/load/processes.h"

#include <dirent.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <string>

namespace wsproxy::bench {
namespace {

struct Process {
  int id = 0;
  int parent = 0;
  double waited_for = 0;  // seconds of CPU time of children that have ended
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

File open_of(int id, const char* name) {
  return File(std::fopen(("/proc/" + std::to_string(id) + "/" + name).c_str(), "re"));
}

std::optional<Process> read_process(int id) {
  const File file = open_of(id, "stat");
  if (!file) return {};
  char text[1024];
  const std::size_t size = std::fread(text, 1, sizeof text - 1, file.get());
  text[size] = '\0';
  const char* behind_name = std::strrchr(text, ')');  // a name may have spaces in it
  if (behind_name == nullptr) return {};
  Process process;
  process.id = id;
  unsigned long user = 0;
  unsigned long system = 0;
  if (std::sscanf(behind_name + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lu %lu",
                  &process.parent, &user, &system) != 3) {
    return {};
  }
  static const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  process.waited_for = static_cast<double>(user + system) / ticks;
  return process;
}

std::vector<Process> all_processes() {
  std::vector<Process> all;
  DIR* folder = ::opendir("/proc");
  if (folder == nullptr) return all;
  while (const dirent* entry = ::readdir(folder)) {
    const int id = std::atoi(entry->d_name);
    if (id <= 0) continue;
    if (const auto process = read_process(id)) all.push_back(*process);
  }
  ::closedir(folder);
  return all;
}

std::vector<Process> family_of(const std::vector<int>& roots) {
  const std::vector<Process> all = all_processes();
  std::vector<Process> family;
  for (const Process& process : all) {
    for (const int root : roots) {
      if (process.id == root) family.push_back(process);
    }
  }
  for (std::size_t i = 0; i < family.size(); ++i) {
    for (const Process& process : all) {
      if (process.parent == family[i].id) family.push_back(process);
    }
  }
  return family;
}

double seconds_of(clockid_t clock) {
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// To the nanosecond, which /proc/PID/stat is not.
double running_cpu(int id) {
  clockid_t clock{};
  return ::clock_getcpuclockid(id, &clock) == 0 ? seconds_of(clock) : 0;
}

}  // namespace

double Processes::cpu() const {
  double sum = 0;
  for (const Process& process : family_of(roots_)) {
    sum += running_cpu(process.id) + process.waited_for;
  }
  return sum;
}

std::vector<double> Processes::cpu_of_each() const {
  std::vector<double> each;
  each.reserve(roots_.size());
  for (const int root : roots_) each.push_back(running_cpu(root));
  return each;
}

double Processes::memory() const {
  double sum = 0;
  for (const Process& process : family_of(roots_)) {
    const File file = open_of(process.id, "smaps_rollup");
    char line[256];
    while (file && std::fgets(line, sizeof line, file.get()) != nullptr) {
      unsigned long kib = 0;
      const bool counts = std::sscanf(line, "Pss_Anon: %lu kB", &kib) == 1 ||
                          std::sscanf(line, "Pss_Shmem: %lu kB", &kib) == 1;
      if (counts) sum += static_cast<double>(kib) * 1024;
    }
  }
  return sum;
}

double own_cpu() { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

}  // namespace wsproxy::bench
