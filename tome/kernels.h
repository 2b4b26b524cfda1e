#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace tome {

/// Whether a fused CPU kernel may run on `x`: on the CPU, float32 or bfloat16.
bool cpu_kernel_fits(const at::Tensor& x);

namespace cpu {

// Kernels for one sample each, on raw pointers: callers split batches over threads.

/// Bipartite soft matching of one sample, as tome::bipartite_soft_matching describes it. `metric`
/// [tokens, dim] row-major, r already capped and positive. Writes keep [tokens - r], removed [r]
/// and into [r]. Ties go to the lower position.
template <typename T>
void match(const T* metric, int64_t tokens, int64_t dim, int64_t r, int64_t prefix_tokens,
           int64_t* keep, int64_t* removed, int64_t* into);

/// Size-weighted merge of one sample: x [N, C] -> out [rows, C], size [N] (null: ones) ->
/// out_size [rows].
template <typename T>
void merge_weighted(const T* x, const float* size, int64_t channels, const int64_t* keep,
                    int64_t rows, const int64_t* removed, const int64_t* into, int64_t count,
                    T* out, float* out_size);

/// The other way: row i of `from` [rows, C] goes to every token that was merged into it, times that
/// token's `share` [N] -> out [N, C].
template <typename T>
void share_rows(const T* from, const float* share, int64_t channels, const int64_t* keep,
                int64_t rows, const int64_t* removed, const int64_t* into, int64_t count, T* out);

}  // namespace cpu
}  // namespace tome
