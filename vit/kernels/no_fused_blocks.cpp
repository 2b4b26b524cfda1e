// Takes the place of fused_blocks.cpp in builds without CPU kernels.
#include <vit/kernels/fused_blocks.h>

namespace vit::kernels {

struct FusedBlocks::Cache {};

FusedBlocks::FusedBlocks(const BlockConfig& config) : block_(lower(config)) {}
FusedBlocks::~FusedBlocks() = default;

bool has_native_int8() { return false; }

bool FusedBlocks::run(std::span<const BlockWeights>, bool, TokenState&, const TokenReducer*) const {
  return false;
}

void FusedBlocks::keep_packed_only(std::span<const BlockWeights>, bool, at::ScalarType) const {}

}  // namespace vit::kernels
