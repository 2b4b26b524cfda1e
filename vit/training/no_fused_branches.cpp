// Takes the place of fused_branches.cpp in builds without CPU kernels.
#include <vit/error.h>
#include <vit/training/fused_branches.h>

namespace vit::training {

bool trains(const kernels::KernelBlock&) { return false; }

std::optional<at::ScalarType> fused_dtype(const kernels::KernelBlock&, const at::Tensor&,
                                          const kernels::BlockWeights&) {
  return std::nullopt;
}

bool turns_fused(const kernels::KernelBlock&, const RotaryAngles&) { return false; }

AttentionOutputs attention_branch(const kernels::KernelBlock&, const kernels::BlockWeights&,
                                  const AttentionInputs&, at::ScalarType) {
  fail("attention_branch: built without CPU kernels");
}

at::Tensor mlp_branch(const kernels::KernelBlock&, const kernels::BlockWeights&, const at::Tensor&,
                      const at::Tensor&, at::ScalarType) {
  fail("mlp_branch: built without CPU kernels");
}

}  // namespace vit::training
