#pragma once

#include <cstdint>
#include <string>

namespace cli {

/// "Intel(R) Xeon(R) Platinum 8488C", or what the system is called where that is not known.
std::string cpu_name();

/// Has LibTorch use no more threads than a quota of CPU time allows, unless OMP_NUM_THREADS says
/// how many it shall use.
void respect_cpu_quota();

/// Largest resident memory of this process so far, in bytes.
uint64_t peak_memory();

/// Lets the allocator keep what large tensors leave behind, up to its limits: for work that makes
/// the same ones again and again (training), where getting memory from the system takes half of the
/// time.
void keep_freed_memory();

/// Lets the allocator give large blocks back at once: for work that runs models, which reuse their
/// memory anyway.
void return_freed_memory();

}  // namespace cli
