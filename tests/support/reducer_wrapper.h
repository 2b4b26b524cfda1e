#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <vit/token_reducer.h>

namespace test {

/// Does what another reducer does; for tests that want to see or change a part of it.
class ReducerWrapper : public vit::TokenReducer {
 public:
  explicit ReducerWrapper(std::shared_ptr<const vit::TokenReducer> inner)
      : inner_(std::move(inner)) {}

  std::optional<vit::ReducerNeeds> needs(const vit::LayerTokens& at) const override {
    return inner_->needs(at);
  }
  std::optional<int64_t> tokens_after(const vit::LayerTokens& at) const override {
    return inner_->tokens_after(at);
  }
  void group(const vit::GroupRequest& request, vit::Groups& groups) const override {
    inner_->group(request, groups);
  }
  bool proportional_attention() const override { return inner_->proportional_attention(); }
  bool proportional_pooling() const override { return inner_->proportional_pooling(); }
  bool per_sample() const override { return inner_->per_sample(); }
  vit::BatchGroups group_batch(const vit::BatchRequest& request) const override {
    return inner_->group_batch(request);
  }

  const vit::TokenReducer& inner() const { return *inner_; }

 private:
  std::shared_ptr<const vit::TokenReducer> inner_;
};

}  // namespace test
