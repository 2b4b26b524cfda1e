#pragma once

#include <memory>
#include <optional>
#include <span>

#include <c10/core/ScalarType.h>

#include <vit/block_config.h>
#include <vit/kernels/block_weights.h>
#include <vit/kernels/kernel_block.h>
#include <vit/kernels/product.h>
#include <vit/token_reducer.h>

namespace vit::kernels {

/// Whether the fused kernels are built in and this CPU multiplies 8-bit integers natively.
bool has_native_int8();

/// The fused form of a model's blocks. Weights are packed when they are first needed, and anew
/// after parameters have changed.
class FusedBlocks {
 public:
  explicit FusedBlocks(const BlockConfig& config);
  ~FusedBlocks();

  /// Whether lower() knows blocks of this kind.
  bool knows_blocks() const { return block_.has_value(); }

  /// Runs all blocks on `state` where the fused kernels fit: blocks that lower() knows, on a CPU
  /// that has the instructions, in float32 or bfloat16, with no gradient wanted, and no reducer or
  /// one that forms groups. Otherwise returns false, and nothing has happened. `quantize`: linear
  /// layers in 8-bit integers. Many threads may call it at once.
  bool run(std::span<const BlockWeights> weights, bool quantize, TokenState& state,
           const TokenReducer* reducer) const;

  /// Packs the weights for tokens of that dtype and frees the parameters of the linear layers, if
  /// the fused kernels fit. run() throws Error from then on where they do not.
  void keep_packed_only(std::span<const BlockWeights> weights, bool quantize,
                        at::ScalarType dtype) const;

 private:
  struct Cache;
  std::optional<Math> math_for(at::ScalarType dtype, bool quantize) const;

  std::optional<KernelBlock> block_;
  std::unique_ptr<Cache> cache_;
};

}  // namespace vit::kernels
