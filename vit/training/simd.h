#pragma once

#include <cstdint>

#include <vit/kernels/simd.h>

// Row and tile kernels for training, beside those of the encoder. All numbers of columns are
// multiples of kPad.

namespace vit::simd {

// --- rows ------------------------------------------------------------------------------------

/// Backward pass of a norm for one row: `dx` = `residual` + gradient of x; `residual` may be null.
/// `dy` is the gradient of its result, and may be `dx`.
struct NormRow {
  const float* x;
  const float* dy;
  const float* residual;
  float* dx;
};
/// Of layer_norm(). The gradients of weight and bias are added to `dweight` and `dbias`.
void layer_norm_backward(const NormRow& row, int64_t dim, const float* weight, float eps,
                         float* dweight, float* dbias);
/// Of rms_norm().
void rms_norm_backward(const NormRow& row, int64_t dim, const float* weight, float eps,
                       float* dweight);

/// Backward pass of softmax() for one row of `padded` numbers. `scores` holds the numerators, as
/// softmax() left them, and then the probabilities; `gradients` holds the gradients of those, and
/// then, as T at its start, the gradients of the unscaled scores. `factor` is what softmax()
/// returned.
template <typename T>
void softmax_backward(T* scores, float factor, float scale, int64_t padded, float* gradients);

/// sums += the sum of `rows` rows.
template <typename T>
void sum_rows(const T* x, int64_t ld, int64_t rows, int64_t cols, float* sums);

// --- tiles -----------------------------------------------------------------------------------

/// out = x + factors[r] * gamma * (tile + bias); gamma and factors may be null.
struct Branch {
  const float* bias;
  const float* gamma;
  const float* factors;
};
void add_branch(const Tile& tile, const Branch& branch, const float* x, float* out, int64_t ld);

/// saved = tile + bias, out = activation(tile + bias).
template <typename T>
void activate_and_save(const Tile& tile, const float* bias, TileActivation activation, T* saved,
                       int64_t saved_ld, T* out, int64_t out_ld);

/// The tile is the gradient of activation(saved): `dsaved` = that of saved, `value` =
/// activation(saved) once more.
template <typename T>
void activate_backward(const Tile& tile, const T* saved, int64_t saved_ld,
                       TileActivation activation, T* dsaved, int64_t dsaved_ld, T* value,
                       int64_t value_ld);

/// saved = tile + bias of both, out = silu(gate) * value. The values lie `distance` after the
/// gates.
struct GatedTile {
  Tile gate;
  const float* value;
  const float* gate_bias;
  const float* value_bias;
};
template <typename T>
void gate_and_save(const GatedTile& tile, int64_t distance, T* saved, int64_t saved_ld, T* out,
                   int64_t out_ld);

/// activate_backward() for the gated form: gates in `saved` and `dsaved`, values `distance` later.
template <typename T>
void gate_backward(const Tile& tile, const T* saved, int64_t saved_ld, int64_t distance, T* dsaved,
                   int64_t dsaved_ld, T* value, int64_t value_ld);

}  // namespace vit::simd
