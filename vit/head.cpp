#include <ATen/ATen.h>

#include <vit/head.h>
#include <vit/merging/reduce.h>

namespace vit {

const char* classifier_name(int64_t index) { return index == 0 ? "head" : "head_dist"; }

at::Tensor Head::pool(const VitConfig& config, const at::Tensor& features, const at::Tensor& mask,
                      const at::Tensor& size) const {
  const int64_t skip = config.num_unpooled_tokens();
  const auto padding_bias = mask.defined() ? mask.slice(1, skip).log() : mask;
  const auto average = [&] { return pool_average(features, size, skip); };
  const auto maximum = [&] {
    const auto patches = features.slice(1, skip);
    if (!mask.defined()) return patches.amax(1);
    return (patches + padding_bias.unsqueeze(-1).to(patches.scalar_type())).amax(1);
  };
  switch (config.head.pooling) {
    case Pooling::cls:
      return features.select(1, 0);
    case Pooling::avg:
      return average();
    case Pooling::max:
      return maximum();
    case Pooling::avg_max:
      return (average() + maximum()) / 2;
    case Pooling::cls_avg:
      return at::cat({features.select(1, 0), average()}, 1);
    case Pooling::cls_dist:
      return (features.select(1, 0) + features.select(1, 1)) / 2;
    case Pooling::map:
      return attn_pool->forward(features.slice(1, skip), padding_bias);
    case Pooling::cls_mean:
      return features.slice(1, 0, config.prefix.cls_tokens).mean(1);
    case Pooling::cls_concat:
      return features.slice(1, 0, config.head.pooled_tokens).flatten(1);
    case Pooling::none:
      return features;
  }
  TORCH_CHECK(false, "Head: unknown pooling ", static_cast<int>(config.head.pooling));
}

Head::Result Head::forward(const VitConfig& config, const TokenState& state,
                           const TokenReducer* reducer) const {
  Result result;
  result.features = norm ? norm->forward(state.tokens) : state.tokens;
  const auto mask = merging::token_mask(state);  // undefined without padding
  if (mask.defined())
    result.features = result.features * mask.unsqueeze(-1).to(result.features.scalar_type());
  const auto normed = [&](const at::Tensor& x) { return fc_norm ? fc_norm->forward(x) : x; };
  const auto classify = [&](std::size_t head, const at::Tensor& x) {
    return head < classifiers.size() ? classifiers[head]->forward(x) : x;
  };
  if (config.head.token_heads > 1) {
    // Each token has a head of its own; what the model says is their average (arXiv 2012.12877).
    const int64_t heads = config.head.token_heads;
    for (int64_t i = 0; i < heads; ++i) {
      const auto token = normed(result.features.select(1, i));
      const auto logits = classify(static_cast<std::size_t>(i), token);
      result.pooled = i ? result.pooled + token : token;
      result.logits = i ? result.logits + logits : logits;
    }
    result.pooled = result.pooled / heads;
    result.logits = result.logits / heads;
    return result;
  }
  const bool by_size = reducer && reducer->proportional_pooling();
  result.pooled = normed(pool(config, result.features, mask, by_size ? state.size : mask));
  result.logits = classify(0, result.pooled);
  return result;
}

}  // namespace vit
