#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/relative_bias.h>

namespace vit {
namespace {

/// For each query (row) and key the entry of their displacement, [patches, patches].
at::Tensor displacement_index(Size2d grid) {
  const auto rows = at::arange(grid.height).repeat_interleave(grid.width);
  const auto cols = at::arange(grid.width).repeat({grid.height});
  const auto between = [](const at::Tensor& x, int64_t size) {
    return x.unsqueeze(1) - x.unsqueeze(0) + (size - 1);
  };
  return between(rows, grid.height) * (2 * grid.width - 1) + between(cols, grid.width);
}

/// Displacements with the class token in front: [1 + patches, 1 + patches].
at::Tensor with_class_token(const at::Tensor& patches, int64_t displacements) {
  const int64_t count = patches.size(0);
  const auto entry = [&](int64_t which, at::IntArrayRef shape) {
    return at::full(shape, displacements + which, patches.options());
  };
  const auto first = at::cat({entry(2, {1, 1}), entry(0, {1, count})}, 1);
  return at::cat({first, at::cat({entry(1, {count, 1}), patches}, 1)}, 0);
}

/// sign(x) log(1 + |x|) of rows and columns of all displacements, [displacements, 2].
at::Tensor log_displacements(Size2d grid) {
  const auto along = [](int64_t size) {
    const auto x = at::arange(1 - size, size, at::kFloat);
    return x.sign() * x.abs().log1p();
  };
  const auto axes = at::meshgrid({along(grid.height), along(grid.width)}, "ij");
  return at::stack({axes[0].flatten(), axes[1].flatten()}, 1);
}

}  // namespace

RelativeBias RelativeBias::in(torch::nn::Module& owner, const RelativeBiasConfig& config,
                              int64_t heads) {
  RelativeBias bias;
  switch (config.kind) {
    case RelativeBiasKind::table:
      bias.table = owner.register_parameter("relative_position_bias_table",
                                            torch::empty({config.entries(), heads}));
      return bias;
    case RelativeBiasKind::log_mlp: {
      auto mlp = owner.register_module("mlp", std::make_shared<torch::nn::Module>());
      bias.fc1 = mlp->register_module("fc1", Linear(2, config.hidden_dim));
      bias.fc2 = mlp->register_module("fc2", Linear(config.hidden_dim, heads));
      return bias;
    }
  }
  fail("RelativeBias: unknown kind ", static_cast<int>(config.kind));
}

at::Tensor RelativeBias::of_patches(const RelativeBiasConfig& config) const {
  auto index = displacement_index(config.grid);
  at::Tensor entries;
  if (table.defined()) {
    if (config.prefix_tokens) index = with_class_token(index, config.displacements());
    entries = table.to(at::kFloat);
  } else {
    const auto input = log_displacements(config.grid).to(fc1->weight.options());
    entries = fc2->forward(fc1->forward(input).relu()).to(at::kFloat);
  }
  const auto flat = entries.index_select(0, index.flatten().to(entries.device()));
  const auto bias = flat.view({index.size(0), index.size(1), -1}).permute({2, 0, 1});
  const int64_t without = config.tokens() - index.size(0);
  return at::constant_pad_nd(bias, {without, 0, without, 0}).contiguous();
}

at::Tensor patch_shares(const TokenState& state) {
  return state.source / state.source.sum(2, /*keepdim=*/true).clamp_min(1);
}

at::Tensor relative_bias_of_tokens(const at::Tensor& of_patches, const TokenState& state) {
  if (!state.size.defined()) return of_patches.unsqueeze(0);
  const auto by_head = patch_shares(state).unsqueeze(1);
  return at::matmul(at::matmul(by_head, of_patches.unsqueeze(0)), by_head.mT());
}

}  // namespace vit
