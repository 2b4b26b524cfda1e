#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace tome {

/// Whether VITOME_KERNELS=reference asks for the composed operators everywhere.
bool reference_only();

/// Whether a fused CPU kernel may run on `x`: on the CPU, float32 or bfloat16, no gradient needed.
bool cpu_kernel_fits(const at::Tensor& x);

namespace cpu {

// Raw-pointer kernels: each handles one sample, so that callers split batches over threads.

/// Matches A rows with B rows. `scores` [a, b] row-major cosine similarities of the patch tokens
/// alone; the `r` A rows with the highest maximum merge (ties: the lower row).
/// Writes `merged` [r] ascending with the B row of each in `partner` [r], and `unmerged` [a - r],
/// ascending or, if `by_score`, in descending order of the maximum.
void select_pairs(const float* scores, int64_t a, int64_t b, int64_t r, bool by_score,
                  int64_t* merged, int64_t* partner, int64_t* unmerged);

/// Size-weighted merge of one sample: x [N, C] -> out [rows, C], size [N] (null: ones) ->
/// out_size [rows].
template <typename T>
void merge_weighted(const T* x, const float* size, int64_t channels, const int64_t* keep,
                    int64_t rows, const int64_t* removed, const int64_t* into, int64_t count,
                    T* out, float* out_size);

}  // namespace cpu
}  // namespace tome
