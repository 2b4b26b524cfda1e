#include <optional>
#include <string>
#include <tuple>

#include <torch/library.h>

#include <tome/matching.h>
#include <tome/merge.h>

// torch.ops.tome.*: the operators for Python, TorchScript and the dispatcher. Composite, so that
// autograd and every device come from the operators inside.

namespace tome {
namespace {

using Indices = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

Indices indices(const Matching& matching) {
  return {matching.keep, matching.removed, matching.into};
}

Indices bipartite_op(const at::Tensor& metric, int64_t r, int64_t prefix_tokens) {
  return indices(bipartite_soft_matching(metric, r, prefix_tokens));
}

Indices kth_op(const at::Tensor& metric, int64_t k) {
  return indices(kth_bipartite_matching(metric, k));
}

Indices random_op(const at::Tensor& metric, int64_t r, int64_t prefix_tokens,
                  std::optional<at::Generator> generator) {
  return indices(random_bipartite_matching(metric, r, prefix_tokens, std::move(generator)));
}

at::Tensor merge_op(const at::Tensor& x, const at::Tensor& keep, const at::Tensor& removed,
                    const at::Tensor& into, c10::string_view mode) {
  Reduction reduction;
  if (mode == "mean")
    reduction = Reduction::mean;
  else if (mode == "sum")
    reduction = Reduction::sum;
  else if (mode == "amax")
    reduction = Reduction::max;
  else
    TORCH_CHECK(false, "merge: mode is \"", mode, "\", expected \"mean\", \"sum\" or \"amax\"");
  return merge(x, {keep, removed, into}, reduction);
}

std::tuple<at::Tensor, at::Tensor> merge_weighted_op(const at::Tensor& x, const at::Tensor& keep,
                                                     const at::Tensor& removed,
                                                     const at::Tensor& into,
                                                     const std::optional<at::Tensor>& size) {
  return merge_weighted(x, {keep, removed, into}, size.value_or(at::Tensor()));
}

at::Tensor merge_source_op(const at::Tensor& source, const at::Tensor& keep,
                           const at::Tensor& removed, const at::Tensor& into) {
  return merge_source(source, {keep, removed, into});
}

at::Tensor unmerge_op(const at::Tensor& x, const at::Tensor& keep, const at::Tensor& removed,
                      const at::Tensor& into) {
  return unmerge(x, {keep, removed, into});
}

}  // namespace

TORCH_LIBRARY(tome, m) {
  m.def(
      "bipartite_soft_matching(Tensor metric, int r, int prefix_tokens=0)"
      " -> (Tensor keep, Tensor removed, Tensor into)",
      bipartite_op);
  m.def(
      "kth_bipartite_matching(Tensor metric, int k) -> (Tensor keep, Tensor removed, Tensor into)",
      kth_op);
  m.def(
      "random_bipartite_matching(Tensor metric, int r, int prefix_tokens=0,"
      " Generator? generator=None) -> (Tensor keep, Tensor removed, Tensor into)",
      random_op);
  m.def("merge(Tensor x, Tensor keep, Tensor removed, Tensor into, str mode=\"mean\") -> Tensor",
        merge_op);
  m.def(
      "merge_weighted(Tensor x, Tensor keep, Tensor removed, Tensor into, Tensor? size=None)"
      " -> (Tensor x, Tensor size)",
      merge_weighted_op);
  m.def("merge_source(Tensor source, Tensor keep, Tensor removed, Tensor into) -> Tensor",
        merge_source_op);
  m.def("unmerge(Tensor x, Tensor keep, Tensor removed, Tensor into) -> Tensor", unmerge_op);
}

}  // namespace tome
