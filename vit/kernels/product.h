#pragma once

#include <cstdint>

namespace vit::kernels {

/// What the linear layers of the fused encoder multiply.
enum class Math {
  fp32,  ///< float32 with float32
  bf16,  ///< bfloat16 with bfloat16, summed in float32
  int8,  ///< uint8 activations with int8 weights, summed in int32
};

/// Rows of the right-hand side of a product whose numbers lie together, column by column: 32 bits
/// of them, as the dot product instructions read them (VNNI layout).
constexpr int64_t group_size(Math math) {
  return math == Math::fp32 ? 1 : math == Math::bf16 ? 2 : 4;
}
constexpr int64_t element_size(Math math) { return 4 / group_size(math); }

/// Whether this CPU multiplies so natively, and this LibTorch has the kernels for it.
bool is_native(Math math);

/// What attention multiplies, and activations are kept in, where the linear layers multiply `math`.
Math attention_math(Math math);

/// Columns of a block of a packed right-hand side, at most: what the CPU's kernels take best.
constexpr int64_t kBlockColumns = 64;

/// c [m, n] = a [m, k] b [k, n] (`add`: c += a b), float32 (int32 for int8). `a` and `c` are
/// row-major with rows `lda` and `ldc` apart; `b` is packed: [k / g][n][g] with g =
/// group_size(math), n a multiple of 16 up to kBlockColumns, k a multiple of g. Only where
/// is_native(math).
void multiply(Math math, int64_t m, int64_t n, int64_t k, const void* a, int64_t lda, const void* b,
              void* c, int64_t ldc, bool add = false);

/// Gives back what multiply() holds of the CPU (tile registers). Each thread that multiplied calls
/// it before it does something else.
void end_of_products();

}  // namespace vit::kernels
