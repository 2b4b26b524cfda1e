#pragma once

#include <cstdint>

#include <tome/tome.h>
#include <vit/token_reducer.h>

namespace tome {

/// Merges tokens in every block by bipartite soft matching of the attention keys.
class Reducer : public vit::TokenReducer {
 public:
  explicit Reducer(Options options) : options_(std::move(options)) {}

  int64_t tokens_after(int64_t layer, int64_t depth, int64_t tokens,
                       int64_t prefix_tokens) const override;
  void reduce(vit::TokenState& state, const at::Tensor& metric) const override;
  bool forms_groups() const override { return true; }
  void group(const vit::GroupRequest& request, const vit::TokenGroups& groups) const override;
  bool proportional_attention() const override { return options_.prop_attn; }

  const Options& options() const { return options_; }

 private:
  Options options_;
};

}  // namespace tome
