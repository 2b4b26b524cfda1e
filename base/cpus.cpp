#include <algorithm>
#include <cstddef>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <base/cpus.h>
#include <base/text.h>

namespace base {
namespace {

namespace fs = std::filesystem;

// A hierarchy of control groups, and which of its groups a process is in.
struct Membership {
  bool unified = false;  // version 2
  fs::path group;
};

// Where some of a hierarchy can be seen in the file system.
struct Mount {
  bool unified = false;
  fs::path root;   // the group that is seen at `point`
  fs::path point;  // a folder
};

bool names_cpu(std::string_view controllers) {
  const auto names = split(controllers, ',');
  return std::find(names.begin(), names.end(), "cpu") != names.end();
}

// Lines "3:cpu,cpuacct:/group", of version 2 "0::/group".
std::vector<Membership> memberships(const fs::path& file) {
  std::vector<Membership> all;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controllers.empty() || names_cpu(controllers))
      all.push_back({controllers.empty(), line.substr(second + 1)});
  }
  return all;
}

// Spaces and the like are written as "\040".
std::string unescaped(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int code = 0;
    const bool escape = text[i] == '\\' && i + 3 < text.size();
    for (std::size_t k = 1; escape && k < 4; ++k) code = code * 8 + (text[i + k] - '0');
    plain += escape ? static_cast<char>(code) : text[i];
    if (escape) i += 3;
  }
  return plain;
}

// Lines "36 35 0:31 ROOT POINT OPTIONS … - TYPE SOURCE OPTIONS".
std::vector<Mount> mounts(const fs::path& file) {
  std::vector<Mount> all;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const std::size_t middle = line.find(" - ");
    if (middle == line.npos) continue;
    std::istringstream before(line.substr(0, middle)), after(line.substr(middle + 3));
    std::string skipped, root, point, type, options;
    before >> skipped >> skipped >> skipped >> root >> point;
    after >> type >> skipped >> options;
    if (type == "cgroup2" || (type == "cgroup" && names_cpu(options)))
      all.push_back({type == "cgroup2", unescaped(root), unescaped(point)});
  }
  return all;
}

std::optional<double> number_in(const fs::path& file) {
  std::ifstream stream(file);
  std::string text;
  stream >> text;
  return parse_number(text);
}

// Of one group.
std::optional<double> quota_of(const fs::path& group, bool unified) {
  std::optional<double> time, period;  // microseconds, of each period
  if (unified) {
    std::ifstream stream(group / "cpu.max");
    std::string first, second;  // "max 100000" where there is none
    stream >> first >> second;
    time = parse_number(first);
    period = parse_number(second);
  } else {
    time = number_in(group / "cpu.cfs_quota_us");  // -1 where there is none
    period = number_in(group / "cpu.cfs_period_us");
  }
  if (!time || !period || *time <= 0 || *period <= 0) return std::nullopt;
  return *time / *period;
}

// The folder of a group: in a container the group's name may be the host's, and the mount show the
// group itself.
fs::path folder_of(const fs::path& group, const Mount& mount) {
  const fs::path below = group.lexically_relative(mount.root);
  const bool seen = !below.empty() && below != "." && *below.begin() != "..";
  return seen ? mount.point / below : mount.point;
}

}  // namespace

std::optional<double> cpu_quota(const fs::path& process) {
  std::optional<double> smallest;
  const std::vector<Mount> seen = mounts(process / "mountinfo");
  for (const Membership& membership : memberships(process / "cgroup"))
    for (const Mount& mount : seen) {
      if (mount.unified != membership.unified) continue;
      for (fs::path group = folder_of(membership.group, mount);; group = group.parent_path()) {
        if (const auto quota = quota_of(group, mount.unified))
          smallest = std::min(smallest.value_or(*quota), *quota);
        if (group == mount.point || group == group.parent_path()) break;
      }
    }
  return smallest;
}

int64_t usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int64_t cpus = std::max(1U, std::thread::hardware_concurrency());
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cpus = CPU_COUNT(&set);
  if (const auto quota = cpu_quota())
    cpus = std::min(cpus, std::max<int64_t>(1, static_cast<int64_t>(std::min(*quota, 1e6))));
  return cpus;
}

}  // namespace base
