#include <ATen/ATen.h>

#include <tome/merge.h>
#include <tome/reference.h>
#include <vit/merging/weighted_merge.h>

namespace tome {
namespace {

void check_tokens(const char* where, const at::Tensor& x, const Matching& matching,
                  int64_t tokens) {
  TORCH_CHECK(matching.keep.dim() == 2 && matching.removed.dim() == 2 &&
                  matching.into.sizes() == matching.removed.sizes() &&
                  matching.keep.size(0) == matching.removed.size(0),
              where, ": expected keep [B, rows], removed [B, r] and into [B, r], got ",
              matching.keep.sizes(), ", ", matching.removed.sizes(), " and ",
              matching.into.sizes());
  // k-th matching leaves out the tail of a sequence, so x may be longer than the matching.
  TORCH_CHECK(x.dim() == 3 && x.size(0) == matching.keep.size(0) && x.size(1) >= tokens, where,
              ": expected x of [", matching.keep.size(0), ", ", tokens, ", C], got ", x.sizes());
}

/// The kernels index raw memory, so a matching from outside is checked before they see it.
void check_indices(const char* where, const at::Tensor& index, int64_t limit) {
  if (index.numel() == 0) return;
  const auto [low, high] = at::aminmax(index);
  TORCH_CHECK(low.item<int64_t>() >= 0 && high.item<int64_t>() < limit, where,
              ": indices run from ", low.item<int64_t>(), " to ", high.item<int64_t>(),
              ", expected 0 to ", limit - 1);
}

vit::merging::Partition partition(const Matching& matching) {
  return {matching.keep, matching.removed, matching.into};
}

}  // namespace

at::Tensor merge(const at::Tensor& x, const Matching& matching, Reduction reduction) {
  check_tokens("merge", x, matching, matching.tokens());
  return reference::merge(x, matching, reduction);
}

std::pair<at::Tensor, at::Tensor> merge_weighted(const at::Tensor& x, const Matching& matching,
                                                 const at::Tensor& size) {
  check_tokens("merge_weighted", x, matching, matching.tokens());
  TORCH_CHECK(!size.defined() ||
                  (size.dim() == 2 && size.size(0) == x.size(0) && size.size(1) == x.size(1)),
              "merge_weighted: expected size of [", x.size(0), ", ", x.size(1), "], got ",
              size.sizes());
  if (!vit::merging::weighted_merge_fits(x, partition(matching), size))
    return reference::merge_weighted(x, matching, size);
  check_indices("merge_weighted", matching.keep, x.size(1));
  check_indices("merge_weighted", matching.removed, x.size(1));
  check_indices("merge_weighted", matching.into, matching.rows());
  return vit::merging::weighted_merge(x, partition(matching), size);
}

at::Tensor merge_source(const at::Tensor& source, const Matching& matching) {
  return merge(source, matching, Reduction::max);
}

at::Tensor unmerge(const at::Tensor& x, const Matching& matching) {
  check_tokens("unmerge", x, matching, matching.rows());
  return vit::merging::unmerge(x, partition(matching));
}

}  // namespace tome
