#pragma once

// Instruction sets that the SIMD files are compiled for: AVX2 and AVX-512 on x86, the latter once
// more as AVX3_DL with instructions that round to bfloat16, plus a plain fallback. The matrix
// products beside them need AVX2 anyway.
#define HWY_WANT_AVX3_DL
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4)

#include <hwy/targets.h>

namespace vit::simd {

/// Keeps Highway from choosing AVX3_DL where the CPU has all of that but AVX512-BF16 (Intel's Ice
/// Lake). Returns true.
bool leave_out_unfit_targets();

/// Before any kernel can be called.
inline const bool kTargetsFit = leave_out_unfit_targets();

}  // namespace vit::simd
