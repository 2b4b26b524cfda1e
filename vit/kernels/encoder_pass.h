#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/kernels/encoder.h>
#include <vit/kernels/merge_plan.h>
#include <vit/kernels/range.h>
#include <vit/kernels/workspace.h>

namespace vit::kernels {

/// How many tokens at most enter every layer, and last, leave the last one.
struct TokenPlan {
  const TokenReducer* reducer;
  int64_t prefix_tokens;
  std::vector<int64_t> tokens;
  std::vector<std::optional<ReducerNeeds>> needs;  ///< of each layer; nullopt: it changes nothing
  bool exact = true;  ///< whether every sample has as many tokens as there can be

  /// Plans for samples of fewer tokens, too, with which others run together.
  void take_in(const TokenPlan& other);

  bool merges() const;                ///< in any layer
  bool needs_metric() const;          ///< likewise
  bool needs_rotated_metric() const;  ///< likewise
};

TokenPlan plan_tokens(const Encoder& encoder, int64_t tokens, int64_t prefix_tokens,
                      const TokenReducer* reducer);

/// What a batch is read from and written to.
struct BatchTensors : MergeTensors {
  at::Tensor input;   ///< [B, N0, D]
  at::Tensor output;  ///< [B, N, D] of the same type; of samples with fewer tokens, the first ones
  Extent grid;        ///< of patches, for rotary positions
  bool same_positions = false;  ///< input_positions are those of every sample
};

/// What threads that run the same samples have for themselves in a linear layer.
enum class Parallelism {
  rows,    ///< each takes some through several layers and waits rarely, but reads all weights
  columns  ///< each reads its part of the weights alone; not where keys are summed over heads,
           ///< with qk_norm or because their metric is wanted rotated
};

/// The faster one. Columns pay where no cache keeps the weights from one input to the next, where
/// few rows are multiplied each time they are read, and where they divide evenly. (ViT-B, one
/// input, two threads of AMD's fourth EPYC, bfloat16: 1.03 to 1.06x, and 1.09 to 1.12x at r=13.)
Parallelism best_parallelism(const Encoder& encoder, const TokenPlan& plan, Range samples,
                             int64_t threads);

/// Runs some samples of a batch through all layers, on `threads` threads together.
void run_pass(const Encoder& encoder, const TokenPlan& plan, const BatchTensors& tensors,
              Range samples, int64_t threads, Parallelism parallelism, Workspace& workspace);

}  // namespace vit::kernels
