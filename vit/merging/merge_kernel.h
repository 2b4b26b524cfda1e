#pragma once

#include <cstdint>

namespace vit::merging {

// Kernels for one sample each, on raw pointers: callers split batches over threads. Every token is
// in a row and every row stands at a token. `T` is float or c10::BFloat16.

/// Size-weighted merge of one sample: x [N, C] -> out [rows, C], size [N] (null: ones) ->
/// out_size [rows].
template <typename T>
void merge_weighted(const T* x, const float* size, int64_t channels, const int64_t* keep,
                    int64_t rows, const int64_t* removed, const int64_t* into, int64_t count,
                    T* out, float* out_size);

/// The other way: row i of `from` [rows, C] goes to every token that was merged into it, times that
/// token's `weight` [N] -> out [N, C].
template <typename T>
void scatter_rows(const T* from, const float* weight, int64_t channels, const int64_t* keep,
                  int64_t rows, const int64_t* removed, const int64_t* into, int64_t count, T* out);

}  // namespace vit::merging
