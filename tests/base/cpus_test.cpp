#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <sched.h>
#include <string>

#include <base/cpus.h>

namespace {

namespace fs = std::filesystem;

/// A folder like /proc/self, and what of control groups can be seen in the file system.
class Host {
 public:
  std::string mount(const std::string& name) { return (folder_ / name).string(); }

  void write(const std::string& file, const std::string& text) {
    fs::create_directories((folder_ / file).parent_path());
    std::ofstream(folder_ / file) << text;
  }

  std::optional<double> quota(const std::string& cgroup, const std::string& mountinfo) {
    write("proc/cgroup", cgroup);
    write("proc/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + mountinfo);
    return base::cpu_quota(folder_ / "proc");
  }

 private:
  test::TempDir folder_;
};

}  // namespace

TEST_CASE("A quota of control groups of version 2 is the smallest on the way up") {
  Host host;
  const std::string mount = "30 22 0:26 / " + host.mount("cgroup") +
                            " rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
  CHECK(host.quota("0::/a/b\n", mount) == std::nullopt);
  host.write("cgroup/a/b/cpu.max", "max 100000\n");
  CHECK(host.quota("0::/a/b\n", mount) == std::nullopt);
  host.write("cgroup/a/cpu.max", "250000 100000\n");
  CHECK(host.quota("0::/a/b\n", mount) == 2.5);
  host.write("cgroup/a/b/cpu.max", "20000 10000\n");
  CHECK(host.quota("0::/a/b\n", mount) == 2);
  CHECK(host.quota("0::/a\n", mount) == 2.5);
  CHECK(host.quota("0::/\n", mount) == std::nullopt);
}

TEST_CASE("A container sees the quota of its group at the mount, whatever the group is called") {
  Host host;
  host.write("cg roup/cpu.max", "150000 100000\n");
  const std::string point = host.mount("cg\\040roup");
  // In a name space of its own, and in that of the host.
  CHECK(host.quota("0::/\n", "30 22 0:26 / " + point + " rw - cgroup2 cgroup rw\n") == 1.5);
  CHECK(host.quota("0::/../x\n", "30 22 0:26 / " + point + " rw - cgroup2 cgroup rw\n") == 1.5);
  CHECK(host.quota("0::/docker/f00\n",
                   "30 22 0:26 /docker/f00 " + point + " rw - cgroup2 cgroup rw\n") == 1.5);
}

TEST_CASE("Quotas of control groups of version 1 are those of the cpu controller") {
  Host host;
  host.write("cpu/job/cpu.cfs_quota_us", "50000\n");
  host.write("cpu/job/cpu.cfs_period_us", "100000\n");
  host.write("cpu/cpu.cfs_quota_us", "-1\n");
  host.write("cpu/cpu.cfs_period_us", "100000\n");
  const std::string mounts = "31 22 0:27 / " + host.mount("cpuset") +
                             " rw - cgroup cgroup rw,cpuset\n32 22 0:28 / " + host.mount("cpu") +
                             " rw - cgroup cgroup rw,cpu,cpuacct\n";
  CHECK(host.quota("5:cpuset:/job\n4:cpu,cpuacct:/job\n0::/other\n", mounts) == 0.5);
  CHECK(host.quota("4:cpu,cpuacct:/\n", mounts) == std::nullopt);
  CHECK(host.quota("5:cpuset:/job\n", mounts) == std::nullopt);
}

TEST_CASE("What cannot be understood is no quota") {
  Host host;
  CHECK(base::cpu_quota(host.mount("none")) == std::nullopt);
  const std::string mount =
      "30 22 0:26 / " + host.mount("cgroup") + " rw - cgroup2 cgroup2 rw\n31 broken\n";
  for (const char* text : {"", "max", "-1 100000", "1 0", "a b", "100000"}) {
    host.write("cgroup/cpu.max", text);
    CHECK(host.quota("0::/\nnonsense\n::\n", mount) == std::nullopt);
  }
}

TEST_CASE("There is always a CPU to use, and no more than the process may run on") {
  cpu_set_t set;
  CPU_ZERO(&set);
  REQUIRE(sched_getaffinity(0, sizeof(set), &set) == 0);
  CHECK(base::usable_cpus() >= 1);
  CHECK(base::usable_cpus() <= CPU_COUNT(&set));
}
