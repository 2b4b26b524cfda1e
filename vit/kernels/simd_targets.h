#pragma once

// Instruction sets that the SIMD files are compiled for: AVX2 and AVX-512 on x86, plus a plain
// fallback. The matrix products beside them need AVX2 anyway.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
