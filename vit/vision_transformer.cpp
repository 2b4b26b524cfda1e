#include <algorithm>
#include <array>
#include <variant>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/modules/container/modulelist.h>

#include <vit/error.h>
#include <vit/init.h>
#include <vit/kernels/fused_blocks.h>
#include <vit/pos_embed.h>
#include <vit/relative_bias_resampling.h>
#include <vit/vision_transformer.h>

namespace vit {

VisionTransformerImpl::VisionTransformerImpl(ModelConfig config) : config_(std::move(config)) {
  const VitConfig& c = config_.vit;
  c.validate();

  const int64_t dim = c.embed_dim();
  const auto token = [&](const char* name, int64_t count) {
    return register_parameter(name, torch::empty({1, count, dim}));
  };
  const auto norm = [&](const char* name) {
    return register_module(name, Norm(dim, c.block.norm));
  };
  auto& e = embedding_;
  if (c.input.normalized_inside) {
    const auto pixels = register_module("input_conditioner", std::make_shared<torch::nn::Module>());
    const std::array<int64_t, 3> shape{c.input.channels, 1, 1};
    e.pixel_mean = pixels->register_buffer("norm_mean", torch::zeros(shape));
    e.pixel_std = pixels->register_buffer("norm_std", torch::ones(shape));
  }
  e.patch_embed =
      register_module("patch_embed", PatchEmbed(c.input.channels, c.patch, dim, c.block.norm));
  if (c.prefix.cls_tokens) e.cls_token = token("cls_token", c.prefix.cls_tokens);
  if (c.prefix.dist_token) e.dist_token = token("dist_token", 1);
  if (c.prefix.reg_tokens) e.reg_token = token("reg_token", c.prefix.reg_tokens);
  if (c.positions.kind == PositionKind::learned)
    e.pos_embed = token("pos_embed", c.num_positions());
  else if (c.positions.computed())
    e.pos_embed = register_buffer("pos_embed", computed_positions(c));
  if (c.pre_norm) e.norm_pre = norm("norm_pre");

  const auto blocks = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < c.depth; ++i) {
    blocks_.emplace_back(c.block_at(i));
    blocks->push_back(blocks_.back());
  }
  if (const auto& relative = c.block.attention.relative_bias; relative && relative->shared) {
    const char* name =
        relative->kind == RelativeBiasKind::table ? "rel_pos_bias" : "shared_rel_pos";
    const auto owner = register_module(name, std::make_shared<torch::nn::Module>());
    const auto bias = RelativeBias::in(*owner, *relative, c.block.attention.num_heads);
    for (auto& block : blocks_) block->set_shared_bias(bias);
  }
  fused_ = std::make_unique<kernels::FusedBlocks>(c.block);

  const HeadConfig& head = c.head;
  if (head.norm_before) head_.norm = norm("norm");
  if (head.norm_after) head_.fc_norm = norm("fc_norm");
  if (head.pooling == Pooling::map)
    head_.attn_pool = register_module("attn_pool", AttentionPool(c.block, head.attention_pool));
  if (head.num_classes)
    for (int64_t i = 0; i < head.token_heads; ++i)
      head_.classifiers.push_back(
          register_module(classifier_name(i), Linear(c.pooled_dim(), head.num_classes, head.bias)));
}

VisionTransformerImpl::~VisionTransformerImpl() = default;

std::vector<kernels::BlockWeights> VisionTransformerImpl::block_weights() const {
  const auto& relative = config_.vit.block.attention.relative_bias;
  std::vector<kernels::BlockWeights> weights;
  at::Tensor shared_bias;
  for (const auto& block : blocks_) {
    weights.push_back(block->weights(shared_bias));
    if (relative && relative->shared) shared_bias = weights.back().relative_bias;
  }
  return weights;
}

at::Tensor VisionTransformerImpl::forward(const at::Tensor& pixels) const {
  return forward_all(pixels).logits;
}

template <typename F>
auto VisionTransformerImpl::pass(const F& work) const {
  const auto reducer = reducer_;
  return work(ForwardPass{config_.vit, embedding_, head_, reducer.get(),
                          [&](TokenState& state) { run_blocks(state, reducer.get()); }});
}

at::Tensor VisionTransformerImpl::forward(const std::vector<at::Tensor>& pictures) const {
  return pass([&](const ForwardPass& pass) { return pass.logits(pictures); });
}

ForwardResult VisionTransformerImpl::forward_all(const at::Tensor& pixels,
                                                 ForwardOptions options) const {
  return pass([&](const ForwardPass& pass) { return pass.run(pixels, options); });
}

std::vector<ForwardResult> VisionTransformerImpl::forward_all(
    const std::vector<at::Tensor>& pictures, ForwardOptions options) const {
  return pass([&](const ForwardPass& pass) { return pass.run(pictures, options); });
}

ForwardResult VisionTransformerImpl::forward_all(const PaddedPictures& pictures,
                                                 ForwardOptions options) const {
  return pass([&](const ForwardPass& pass) { return pass.run(pictures, options); });
}

void VisionTransformerImpl::run_blocks(TokenState& state, const TokenReducer* reducer) const {
  const bool drops_paths =
      std::ranges::any_of(blocks_, [](const Block& block) { return block->drops_paths(); });
  if (!drops_paths && fused_->run(block_weights(), int8_, state, reducer)) return;
  for (const auto& block : blocks_) {
    block->forward(state, reducer);
    ++state.layer;
  }
}

void VisionTransformerImpl::set_int8(bool int8) {
  if (int8 && !kernels::has_native_int8())
    fail("set_int8: needs a CPU with AVX512-VNNI or AMX, and ViToMe built with its fused kernels");
  int8_ = int8;
}

void VisionTransformerImpl::set_drop_path(double rate) {
  if (!(rate >= 0.0 && rate < 1.0))
    fail("set_drop_path: rate is ", rate, ", expected 0 or more and less than 1");
  const auto last = static_cast<double>(std::max<std::size_t>(blocks_.size(), 2) - 1);
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    blocks_[i]->set_drop_path(rate * static_cast<double>(i) / last);
}

void VisionTransformerImpl::set_scores(std::optional<ScoreKind> scores) {
  if (scores == ScoreKind::softmax && config_.vit.head.num_classes == 1)
    fail("set_scores: a softmax over one class is always 1; choose a sigmoid");
  config_.scores = scores;
}

at::Tensor VisionTransformerImpl::resampled_positions(const VitConfig& changed) {
  const at::Tensor now = embedding_.pos_embed.detach();
  // By value: who else has written to the table, and how, does not matter.
  const bool unchanged = resampled_ && at::equal(resampled_->made.to(now.options()), now);
  if (!unchanged) resampled_ = Resampled{now.clone(), config_.vit.grid(), {}};
  const int64_t prefix = changed.num_positions() - changed.num_patches();
  const auto table = resample_positions(resampled_->origin, prefix, resampled_->grid,
                                        changed.grid(), changed.positions.resampling);
  resampled_->made = table.to(now.options(), /*non_blocking=*/false, /*copy=*/true);
  return resampled_->made.clone();
}

void VisionTransformerImpl::set_image_size(Size2d image_size) {
  const VitConfig& c = config_.vit;
  VitConfig changed = c;
  if (auto* how = std::get_if<PicturePreprocessing>(&changed.input.preprocessing)) {
    how->max_patches = 0;
    how->patch = {};
  }
  if (image_size == c.image_size()) {
    config_.vit = std::move(changed);
    return;
  }
  changed.check_covers(image_size);
  changed.set_image_size(image_size);
  changed.validate();

  if (auto& table = embedding_.pos_embed; table.defined() && c.positions.table == Size2d()) {
    at::NoGradGuard no_grad;
    table.set_data(changed.positions.computed() ? computed_positions(changed).to(table.options())
                                                : resampled_positions(changed));
  }
  if (const auto& relative = c.block.attention.relative_bias) {
    const Size2d grid = changed.block.attention.relative_bias->grid;
    for (auto& entry : named_parameters())
      if (entry.key().ends_with("relative_position_bias_table"))
        entry.value().set_data(
            resample_relative_bias(entry.value().detach(), relative->grid, grid));
    for (auto& block : blocks_) block->set_bias_grid(grid);
  }
  config_.vit = std::move(changed);
}

void VisionTransformerImpl::init_weights(uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (auto& entry : named_parameters()) init_parameter(entry.key(), entry.value(), generator);
}

}  // namespace vit
