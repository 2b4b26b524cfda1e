#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <tome/tome.h>
#include <vit/token_reducer.h>

namespace tome {

/// What a schedule makes of a model.
struct Merging {
  std::shared_ptr<const vit::TokenReducer> reducer;  ///< null where nothing merges
  std::vector<int64_t> tokens;                       ///< that enter the MLP of each layer
  double merge_ratio = 0;  ///< share of the model's tokens that are merged away in all
  double gflops = 0;       ///< of one input
};

/// What apply() would make of a model of that config.
Merging plan(const vit::VitConfig& config, const Options& options);

}  // namespace tome
