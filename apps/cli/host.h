#pragma once

#include <cstdint>
#include <string>

namespace cli {

/// "Intel(R) Xeon(R) Platinum 8488C", or what the system is called where that is not known.
std::string cpu_name();

/// Whether this CPU multiplies bfloat16 matrices faster than float32 ones (AMX, AMD's AVX512-BF16,
/// Arm BF16).
bool bf16_is_fast();

/// CPUs that this process may run on.
int64_t usable_cpus();

/// Largest resident memory of this process so far, in bytes.
uint64_t peak_memory();

}  // namespace cli
