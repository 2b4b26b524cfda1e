#pragma once

#include <cstdint>

// Row and tile kernels on raw memory, vectorised for the CPU at hand at run time (Highway). They
// know nothing of tensors. Every row is padded with zeros to a multiple of kPad elements, so that
// no kernel needs a scalar tail; `padded` is such a length.

namespace vit::simd {

/// Multiple that row lengths are padded to: as many floats as the widest vector holds.
constexpr int64_t kPad = 16;
constexpr int64_t round_up(int64_t n, int64_t multiple = kPad) {
  return (n + multiple - 1) / multiple * multiple;
}

/// bfloat16 as it lies in memory.
struct Bf16 {
  uint16_t bits;
};

/// What turns a row of uint8 back into numbers: (q - zero) * scale.
struct Quantized {
  float scale;
  float zero;  ///< a whole number from 0 to 255
};

enum class TileActivation { gelu, gelu_tanh, quick_gelu, silu };

// --- rows ------------------------------------------------------------------------------------

/// Layer norm of one row of `dim` numbers; `weight`, `bias` and the output are padded. The output
/// may be the row itself.
template <typename In, typename Out>
void layer_norm(const In* x, int64_t dim, const float* weight, const float* bias, float eps,
                Out* out);

/// RMS norm likewise.
template <typename In, typename Out>
void rms_norm(const In* x, int64_t dim, const float* weight, float eps, Out* out);

/// out = sum of `count` rows of x, each times its weight; `rows` are their indices.
void weighted_rows(const float* x, int64_t padded, const int64_t* rows, const float* weights,
                   int64_t count, float* out);

/// out[i] = x[indices[i]] * factors[i] + added[i]; `added` may be null.
void gather_scaled(const float* x, const int32_t* indices, const float* factors, const float* added,
                   int64_t padded, float* out);

/// Rounds a row to uint8 with the scale and zero point that its own range asks for; 0 is exact.
template <typename T>
Quantized quantize(const T* x, int64_t padded, uint8_t* out);

/// Softmax numerators of one row of attention scores, in place: exp(scale * s + bias) relative to
/// the largest, as T at the start of the row. `bias` [n], in units of log2, may be null. Numbers
/// from n to `padded` become 0. Returns one over their sum.
template <typename T>
float softmax(float* scores, int64_t n, int64_t padded, float scale, const float* bias);

void to_float(const Bf16* x, int64_t n, float* out);
void to_bf16(const float* x, int64_t n, Bf16* out);
/// Rounds a row, and what rounding took from it: x is out + rest with 16 bits.
void to_bf16_pair(const float* x, int64_t padded, Bf16* out, Bf16* rest);

/// Sine and cosine [padded] of a token's angles: the sum over its axes of coordinate times
/// frequencies [axes, padded].
void rotary_angles(const float* coordinates, const float* frequencies, int64_t axes, int64_t padded,
                   float* sin, float* cos);

// --- operands of products -------------------------------------------------------------------

/// x [rows, cols] -> its transpose [cols, padded_rows], zeros after `rows`; `padded_rows` is a
/// multiple of 8.
template <typename T>
void transpose(const T* x, int64_t ld, int64_t rows, int64_t padded_rows, int64_t cols, T* out,
               int64_t out_ld);

/// Keys [n, padded] -> their transpose as the right-hand side of a product: blocks of `block`
/// tokens, each [padded / v][block][v] with v = 1 for float and 2 for bfloat16; zeros after n up
/// to `padded_n`, a multiple of kPad. The last block is as wide as what is left.
template <typename T>
void pack_keys(const T* keys, int64_t n, int64_t padded_n, int64_t padded, int64_t block, T* out);

/// Values [n, padded] -> the right-hand side [padded_n / v][width][v] of a product from column
/// `first` on, zeros after row n.
template <typename T>
void pack_values(const T* values, int64_t n, int64_t padded_n, int64_t padded, int64_t first,
                 int64_t width, T* out);

// --- tiles: [rows, cols] with row stride `ld`, just out of a matrix product ---------------------

/// What turns int32 sums of quantized rows and columns into numbers.
struct TileScales {
  const Quantized* rows = nullptr;
  const float* columns = nullptr;  ///< scale of each
  const float* sums = nullptr;     ///< of each one's quantized weights
};

struct Tile {
  const float* data;  ///< int32 where there are scales
  int64_t ld;
  int64_t rows;
  int64_t cols;            ///< a multiple of kPad
  TileScales scales = {};  ///< may be empty, and has to be where only numbers are read
};

/// out = tile + bias.
template <typename T>
void store(const Tile& tile, const float* bias, T* out, int64_t out_ld);

/// out = activation(tile + bias).
template <typename T>
void activate(const Tile& tile, const float* bias, TileActivation activation, T* out,
              int64_t out_ld);

/// out = silu(gate + gate_bias) * (value + value_bias); the tiles are of one kind and size.
template <typename T>
void gate(const Tile& gate, const float* gate_bias, const Tile& value, const float* value_bias,
          T* out, int64_t out_ld);

/// x += gamma * (tile + bias); gamma may be null.
void add(const Tile& tile, const float* bias, const float* gamma, float* x, int64_t x_ld);

/// out = factor * tile (+ out unless `first`); the tile has no scales.
void accumulate(const Tile& tile, float factor, bool first, float* out, int64_t out_ld);

/// out[r] = tile[r] * factors[r]; the tile has no scales.
template <typename T>
void scale_rows(const Tile& tile, const float* factors, T* out, int64_t out_ld);

/// Which elements of a row are rotated together.
enum class RotatedPairs {
  halves,            ///< i and angles + i
  neighbours,        ///< 2i and 2i + 1
  neighbours_apart,  ///< likewise, with an angle for each of the two
};

/// By how much rows are rotated: rows of `padded` sines and cosines, `ld` apart; of the second
/// elements after those of the first ones where they have their own. What pads them is 0 and 1, for
/// as many pairs as a row has room for.
struct Rotation {
  const float* table;
  int64_t ld;
  int64_t padded;
  int64_t angles;
  RotatedPairs pairs;
};

/// out = the tile rotated: a pair (a, b) becomes (a cos - b sin, b cos + a sin), what is in no pair
/// stays. The tile has no scales and is not the output.
template <typename T>
void rotate(const Tile& tile, const Rotation& rotation, T* out, int64_t out_ld);

}  // namespace vit::simd
