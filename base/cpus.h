#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace base {

/// CPUs whose time this process may use, at least 1: those that it may run on, and no more than the
/// quota of its control groups (a container that was started with `--cpus 1.5` has 1).
int64_t usable_cpus();

/// The smallest quota among the control groups (version 1 or 2) of a process and those above them,
/// in CPUs; nothing if there is none. `process` is a folder such as /proc/self.
std::optional<double> cpu_quota(const std::filesystem::path& process = "/proc/self");

}  // namespace base
