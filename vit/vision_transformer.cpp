#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/modules/container/modulelist.h>

#include <vit/error.h>
#include <vit/init.h>
#include <vit/merging/reduce.h>
#include <vit/pos_embed.h>
#include <vit/vision_transformer.h>

namespace vit {
namespace {

at::Tensor sincos_table(const VitConfig& config) {
  auto table = config.positions == Positions::sincos_1d
                   ? sincos_positions_1d(config.num_patches(), config.embed_dim)
                   : sincos_positions_2d(config.grid(), config.embed_dim);
  const int64_t prefix = config.num_positions() - config.num_patches();
  return at::cat({at::zeros({1, prefix, config.embed_dim}), table}, 1);
}

/// Row and column of every patch [1, N, 2], 0 for prefix tokens.
at::Tensor patch_positions(Size2d grid, int64_t prefix_tokens) {
  const auto rows = at::arange(grid.height, at::kFloat),
             columns = at::arange(grid.width, at::kFloat);
  const auto patches = at::stack(at::meshgrid({rows, columns}, "ij"), -1).view({1, -1, 2});
  return at::cat({at::zeros({1, prefix_tokens, 2}), patches}, 1);
}

}  // namespace

VisionTransformerImpl::VisionTransformerImpl(ModelConfig config) : config_(std::move(config)) {
  const VitConfig& c = config_.vit;
  c.validate();
  config_.preprocessing.validate(c.in_channels);

  const auto token = [&](const char* name, int64_t count) {
    return register_parameter(name, torch::empty({1, count, c.embed_dim}));
  };
  patch_embed_ = register_module("patch_embed", PatchEmbed(c));
  if (c.cls_token) cls_token_ = token("cls_token", 1);
  if (c.dist_token) dist_token_ = token("dist_token", 1);
  if (c.reg_tokens) reg_token_ = token("reg_token", c.reg_tokens);
  if (c.positions == Positions::learned)
    pos_embed_ = token("pos_embed", c.num_positions());
  else if (c.positions != Positions::none)
    pos_embed_ = register_buffer("pos_embed", sincos_table(c));
  if (c.pre_norm) norm_pre_ = register_module("norm_pre", LayerNorm(c.embed_dim, c.norm_eps));

  const auto blocks = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < c.depth; ++i) {
    blocks_.emplace_back(c);
    blocks->push_back(blocks_.back());
  }

  if (c.final_norm) {
    const auto norm = LayerNorm(c.embed_dim, c.norm_eps);
    (c.fc_norm ? fc_norm_ : norm_) = register_module(c.fc_norm ? "fc_norm" : "norm", norm);
  }
  if (c.pooling == Pooling::map) attn_pool_ = register_module("attn_pool", AttentionPool(c));
  if (c.num_classes) {
    head_ = register_module("head", Linear(c.pooled_dim(), c.num_classes, c.head_bias));
    if (c.averages_two_heads())
      head_dist_ = register_module("head_dist", Linear(c.pooled_dim(), c.num_classes, c.head_bias));
  }
}

at::Tensor VisionTransformerImpl::embed(const at::Tensor& pixels) const {
  const VitConfig& c = config_.vit;
  TORCH_CHECK(pixels.dim() == 4 && pixels.size(1) == c.in_channels &&
                  pixels.size(2) == c.image_size.height && pixels.size(3) == c.image_size.width,
              "VisionTransformer: expected pixels of [B, ", c.in_channels, ", ",
              c.image_size.height, ", ", c.image_size.width, "], got ", pixels.sizes(),
              "; set_image_size() changes what the model takes");
  auto x = patch_embed_->forward(pixels.to(patch_embed_->dtype()));

  std::vector<at::Tensor> parts;
  for (const auto& token : {cls_token_, dist_token_, reg_token_})
    if (token.defined()) parts.push_back(token.expand({x.size(0), -1, -1}));
  if (pos_embed_.defined() && !c.positions_for_prefix) x = x + pos_embed_;
  if (!parts.empty()) {
    parts.push_back(x);
    x = at::cat(parts, 1);
  }
  if (pos_embed_.defined() && c.positions_for_prefix) x = x + pos_embed_;
  return norm_pre_ ? norm_pre_->forward(x) : x;
}

at::Tensor VisionTransformerImpl::forward(const at::Tensor& pixels) const {
  return forward_all(pixels).logits;
}

ForwardResult VisionTransformerImpl::forward_all(const at::Tensor& pixels,
                                                 ForwardOptions options) const {
  const VitConfig& c = config_.vit;
  const auto reducer = reducer_;
  TokenState state;
  state.tokens = embed(pixels);
  state.prefix_tokens = c.num_prefix_tokens();
  state.class_token = c.cls_token;
  state.depth = c.depth;
  const int64_t batch = state.tokens.size(0);
  if (options.track_source) {
    const int64_t tokens = state.tokens.size(1);
    state.source =
        at::eye(tokens, state.tokens.options().dtype(at::kFloat)).expand({batch, tokens, tokens});
  }
  if (options.track_positions)
    state.positions = patch_positions(c.grid(), state.prefix_tokens)
                          .to(state.tokens.device())
                          .expand({batch, -1, -1});
  if (!fused_.run(c, blocks_, int8_, state, reducer.get())) {
    for (const auto& block : blocks_) {
      block->forward(state, reducer.get());
      ++state.layer;
    }
  }

  ForwardResult result;
  result.features = norm_ ? norm_->forward(state.tokens) : state.tokens;
  if (const auto mask = merging::token_mask(state); mask.defined())
    result.features = result.features * mask.unsqueeze(-1).to(result.features.scalar_type());
  pool_and_classify(result, state, reducer.get());
  result.size = state.size.defined()
                    ? state.size
                    : at::ones({batch, state.tokens.size(1)},
                               state.tokens.options().dtype(at::kFloat).requires_grad(false));
  result.source = state.source;
  result.positions = state.positions;
  return result;
}

void VisionTransformerImpl::pool_and_classify(ForwardResult& result, const TokenState& state,
                                              const TokenReducer* reducer) const {
  const auto& features = result.features;
  const auto normed = [&](const at::Tensor& x) { return fc_norm_ ? fc_norm_->forward(x) : x; };
  const auto classify = [](const Linear& head, const at::Tensor& x) {
    return head ? head->forward(x) : x;
  };

  if (config_.vit.averages_two_heads()) {
    // Each token has a head of its own; what the model says is their average (arXiv 2012.12877).
    const auto cls = normed(features.select(1, 0)), dist = normed(features.select(1, 1));
    result.pooled = (cls + dist) / 2;
    result.logits = (classify(head_, cls) + classify(head_dist_, dist)) / 2;
    return;
  }
  const int64_t skip = config_.vit.num_unpooled_tokens();
  const auto mask = merging::token_mask(state);  // undefined without padding
  const auto padding_bias = mask.defined() ? mask.slice(1, skip).log() : mask;
  const auto average = [&] {
    const bool by_size = reducer && reducer->proportional_pooling();
    return pool_average(features, by_size ? state.size : mask, skip);
  };
  const auto maximum = [&] {
    const auto patches = features.slice(1, skip);
    if (!mask.defined()) return patches.amax(1);
    return (patches + padding_bias.unsqueeze(-1).to(patches.scalar_type())).amax(1);
  };
  switch (config_.vit.pooling) {
    case Pooling::cls:
      result.pooled = normed(features.select(1, 0));
      break;
    case Pooling::avg:
      result.pooled = normed(average());
      break;
    case Pooling::max:
      result.pooled = normed(maximum());
      break;
    case Pooling::avg_max:
      result.pooled = normed((average() + maximum()) / 2);
      break;
    case Pooling::cls_avg:
      result.pooled = normed(at::cat({features.select(1, 0), average()}, 1));
      break;
    case Pooling::map:
      result.pooled = normed(attn_pool_->forward(features.slice(1, skip), padding_bias));
      break;
    case Pooling::none:
      result.pooled = normed(features);
      break;
  }
  result.logits = classify(head_, result.pooled);
}

void VisionTransformerImpl::set_int8(bool int8) {
  if (int8 && !kernels::has_native_int8())
    fail("set_int8: needs a CPU with AVX512-VNNI or AMX, and ViToMe built with its fused kernels");
  int8_ = int8;
}

void VisionTransformerImpl::keep_packed_only() {
  fused_.keep_packed_only(config_.vit, blocks_, int8_, patch_embed_->dtype());
}

void VisionTransformerImpl::set_drop_path(double rate) {
  if (!(rate >= 0.0 && rate < 1.0))
    fail("set_drop_path: rate is ", rate, ", expected 0 or more and less than 1");
  const auto last = static_cast<double>(std::max<std::size_t>(blocks_.size(), 2) - 1);
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    blocks_[i]->set_drop_path(rate * static_cast<double>(i) / last);
}

void VisionTransformerImpl::set_image_size(Size2d image_size) {
  VitConfig changed = config_.vit;
  if (image_size == changed.image_size) return;
  changed.check_covers(image_size);
  changed.image_size = image_size;
  changed.validate();

  if (pos_embed_.defined()) {
    at::NoGradGuard no_grad;
    if (changed.positions == Positions::learned) {
      const int64_t prefix = changed.num_positions() - changed.num_patches();
      pos_embed_.set_data(resample_positions(pos_embed_, prefix, config_.vit.grid(), changed.grid(),
                                             changed.resampling));
    } else {
      pos_embed_.set_data(sincos_table(changed).to(pos_embed_.options()));
    }
  }
  config_.vit = changed;
  config_.preprocessing.input_size = image_size;
}

void VisionTransformerImpl::init_weights(uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (auto& entry : named_parameters()) init_parameter(entry.key(), entry.value(), generator);
}

}  // namespace vit
