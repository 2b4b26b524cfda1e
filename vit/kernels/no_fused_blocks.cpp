// Takes the place of fused_blocks.cpp in builds without CPU kernels.
#include <vit/kernels/fused_blocks.h>

namespace vit::kernels {

struct FusedBlocks::Cache {};

FusedBlocks::FusedBlocks() = default;
FusedBlocks::~FusedBlocks() = default;

bool has_native_int8() { return false; }

bool FusedBlocks::run(const VitConfig&, const std::vector<Block>&, bool, TokenState&,
                      const TokenReducer*) const {
  return false;
}

void FusedBlocks::keep_packed_only(const VitConfig&, const std::vector<Block>&, bool,
                                   at::ScalarType) const {}

}  // namespace vit::kernels
