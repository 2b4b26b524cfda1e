#include <algorithm>
#include <fstream>
#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <thread>

#include <apps/cli/host.h>

namespace cli {
namespace {

// Value of the first line of /proc/cpuinfo whose key is one of `keys`; empty if there is none.
std::string cpuinfo(const std::vector<std::string>& keys) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

}  // namespace

std::string cpu_name() {
  if (std::string name = cpuinfo({"model name", "Model"}); !name.empty()) return name;
  utsname system{};
  return uname(&system) == 0 ? system.machine : "unknown";
}

int64_t usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
  return std::max(1U, std::thread::hardware_concurrency());
}

uint64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;  // Linux counts in kB
}

void keep_freed_memory() {
#ifdef M_MMAP_THRESHOLD
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc takes
  mallopt(M_TRIM_THRESHOLD, INT32_MAX);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

void return_freed_memory() {
#ifdef M_MMAP_THRESHOLD
  // Left alone, glibc keeps what large tensors leave behind: half of the memory of a ViT-B.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

}  // namespace cli
