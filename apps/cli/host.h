#pragma once

#include <cstdint>
#include <string>

namespace cli {

/// "Intel(R) Xeon(R) Platinum 8488C", or what the system is called where that is not known.
std::string cpu_name();

/// CPUs that this process may run on.
int64_t usable_cpus();

/// Largest resident memory of this process so far, in bytes.
uint64_t peak_memory();

}  // namespace cli
