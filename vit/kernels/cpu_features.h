#pragma once

#include <cstdint>

namespace vit::kernels {

/// What the CPU at hand computes in hardware, as the operating system lets programs use it.
struct CpuFeatures {
  bool avx2 = false;         ///< with FMA
  bool avx512_bf16 = false;  ///< with the parts of AVX-512 before it
  bool fast_bf16 = false;    ///< bfloat16 in clearly less time than float32
  bool fast_int8 = false;    ///< 8-bit integers likewise
};

const CpuFeatures& cpu_features();

/// Bytes of a core's second-level cache; 1 MiB where the system does not tell.
int64_t second_level_cache();

}  // namespace vit::kernels
