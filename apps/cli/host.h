#pragma once

#include <cstdint>
#include <string>

namespace cli {

/// "Intel(R) Xeon(R) Platinum 8488C", or what the system is called where that is not known.
std::string cpu_name();

/// Whether this CPU multiplies bfloat16 matrices natively (AVX512-BF16, AMX, Arm BF16) rather than
/// through float32, which is slower than float32 itself.
bool cpu_has_bf16();

/// CPUs that this process may run on.
int64_t usable_cpus();

/// Largest resident memory of this process so far, in bytes.
uint64_t peak_memory();

}  // namespace cli
