#pragma once

#include <memory>
#include <optional>
#include <span>

#include <c10/core/ScalarType.h>

#include <vit/block_config.h>
#include <vit/kernels/block_weights.h>
#include <vit/kernels/kernel_block.h>
#include <vit/token_reducer.h>

namespace vit::kernels {

/// Whether the fused kernels are built in and this CPU multiplies 8-bit integers natively.
bool has_native_int8();

/// The fused form of a module's blocks. Of their weights it keeps nothing: nobody can tell for
/// certain whether a tensor is what it was, as writing through data() or under InferenceMode counts
/// no version. They are packed for each pass, into the memory that an earlier one has left.
class FusedBlocks {
 public:
  explicit FusedBlocks(const BlockConfig& config);
  ~FusedBlocks();

  /// Runs all blocks on `state` where the fused kernels fit: blocks that lower() knows, on a CPU
  /// that has the instructions, in float32 or bfloat16, with no gradient wanted, and no reducer or
  /// one that decides per sample. Otherwise returns false, and nothing has happened. `quantize`:
  /// linear layers in 8-bit integers. Many threads may call it at once.
  bool run(std::span<const BlockWeights> weights, bool quantize, TokenState& state,
           const TokenReducer* reducer) const;

 private:
  struct Memory;

  std::optional<KernelBlock> block_;
  std::unique_ptr<Memory> memory_;
};

/// The fused form of blocks whose weights it alone has: nothing else can be done with it than run
/// it, on the CPU and without gradients.
class PackedBlocks {
 public:
  /// Packs the weights for tokens of `dtype`; with `free_weights` it empties those of the linear
  /// layers one by one. Null where the fused kernels do not fit, and nothing has happened.
  static std::unique_ptr<const PackedBlocks> pack(const BlockConfig& config,
                                                  std::span<const BlockWeights> weights,
                                                  bool quantize, at::ScalarType dtype,
                                                  bool free_weights);
  ~PackedBlocks();

  /// Runs all blocks on `state`. Many threads may call it at once. Throws Error for tokens of
  /// another dtype, autocast, and reducers that decide on a whole batch.
  void run(TokenState& state, const TokenReducer* reducer) const;

 private:
  struct Packed;
  explicit PackedBlocks(std::unique_ptr<const Packed> packed);

  std::unique_ptr<const Packed> packed_;
};

}  // namespace vit::kernels
