#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <vector>

#include <ATen/Parallel.h>

#include <apps/cli/host.h>
#include <base/cpus.h>

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

void respect_cpu_quota() {
  if (!base::cpu_quota() || std::getenv("OMP_NUM_THREADS")) return;
  const int64_t most = base::usable_cpus();
  if (most < at::get_num_threads()) at::set_num_threads(static_cast<int>(most));
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
