// Takes the place of fused_branches.cpp in builds without CPU kernels.
#include <vit/error.h>
#include <vit/training/fused_branches.h>

namespace vit::training {

std::optional<at::ScalarType> fused_dtype(const VitConfig&, const at::Tensor&,
                                          const std::vector<at::Tensor>&) {
  return std::nullopt;
}

AttentionOutputs attention_branch(const VitConfig&, const BranchParameters&, const AttentionInputs&,
                                  at::ScalarType) {
  fail("attention_branch: built without CPU kernels");
}

at::Tensor mlp_branch(const VitConfig&, const BranchParameters&, const at::Tensor&,
                      const at::Tensor&, at::ScalarType) {
  fail("mlp_branch: built without CPU kernels");
}

}  // namespace vit::training
