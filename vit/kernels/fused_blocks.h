#pragma once

#include <memory>
#include <vector>

#include <c10/core/ScalarType.h>

#include <vit/block.h>
#include <vit/config.h>
#include <vit/token_reducer.h>

namespace vit::kernels {

/// Whether the fused kernels are built in and this CPU multiplies 8-bit integers natively.
bool has_native_int8();

/// The fused form of a model's blocks. Weights are packed when they are first needed, and anew
/// after parameters have changed.
class FusedBlocks {
 public:
  FusedBlocks();
  ~FusedBlocks();

  /// Runs all `blocks` on `state` where the fused kernels fit: on a CPU that has the instructions,
  /// in float32 or bfloat16, with no gradient wanted and no stochastic depth, and no reducer or one
  /// that decides per sample. Otherwise returns false, and nothing has happened. `quantize`: linear
  /// layers in 8-bit integers. Many threads may call it at once.
  bool run(const VitConfig& config, const std::vector<Block>& blocks, bool quantize,
           TokenState& state, const TokenReducer* reducer) const;

  /// Packs the weights for tokens of that dtype and frees the parameters of the linear layers, if
  /// the fused kernels fit. run() throws Error from then on where they do not.
  void keep_packed_only(const VitConfig& config, const std::vector<Block>& blocks, bool quantize,
                        at::ScalarType dtype) const;

 private:
  struct Cache;
  std::unique_ptr<Cache> cache_;
};

}  // namespace vit::kernels
