// Takes the place of fused_blocks.cpp in builds without CPU kernels.
#include <vit/kernels/fused_blocks.h>

namespace vit::kernels {

bool has_native_int8() { return false; }

struct FusedBlocks::Memory {};

FusedBlocks::FusedBlocks(const BlockConfig& config) : block_(lower(config)) {}
FusedBlocks::~FusedBlocks() = default;

bool FusedBlocks::run(std::span<const BlockWeights>, bool, TokenState&, const TokenReducer*) const {
  return false;
}

struct PackedBlocks::Packed {};

PackedBlocks::PackedBlocks(std::unique_ptr<const Packed> packed) : packed_(std::move(packed)) {}
PackedBlocks::~PackedBlocks() = default;

std::unique_ptr<const PackedBlocks> PackedBlocks::pack(const BlockConfig&,
                                                       std::span<const BlockWeights>, bool,
                                                       at::ScalarType, bool) {
  return nullptr;
}

void PackedBlocks::run(TokenState&, const TokenReducer*) const {}

}  // namespace vit::kernels
