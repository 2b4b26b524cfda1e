#include <cmath>
#include <string>
#include <tuple>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <base/error.h>
#include <train/mimetic.h>
#include <vit/pos_embed.h>

namespace train {
namespace {

// The paper's strengths of noise and identity.
constexpr double kQueryKeyNoise = 0.7, kQueryKeyIdentity = 0.7;
constexpr double kValueOutNoise = 0.4, kValueOutIdentity = -0.4;

// Two matrices [rank, dim] and [rank, dim] whose product a^T b is nearest to noise + identity.
std::pair<at::Tensor, at::Tensor> factors(int64_t dim, int64_t rank, double noise, double identity,
                                          at::Generator& generator) {
  const at::Tensor sum =
      at::randn({dim, dim}, generator, at::kFloat) * (noise / std::sqrt(static_cast<double>(dim))) +
      at::eye(dim) * identity;
  const auto [u, s, vh] = at::linalg_svd(sum);
  const at::Tensor root = s.slice(0, 0, rank).sqrt();
  return {(u.slice(1, 0, rank) * root).mT(), vh.slice(0, 0, rank) * root.unsqueeze(1)};
}

void init_block(const torch::OrderedDict<std::string, at::Tensor>& parameters,
                const std::string& block, const vit::VitConfig& config, at::Generator& generator) {
  const int64_t dim = config.embed_dim(), head_dim = config.block.head_dim();
  at::Tensor qkv = parameters[block + "attn.qkv.weight"];
  for (int64_t head = 0; head < config.block.attention.num_heads; ++head) {
    const auto [q, k] = factors(dim, head_dim, kQueryKeyNoise, kQueryKeyIdentity, generator);
    qkv.slice(0, head * head_dim, (head + 1) * head_dim).copy_(q);
    qkv.slice(0, dim + head * head_dim, dim + (head + 1) * head_dim).copy_(k);
  }
  const auto [v, out] = factors(dim, dim, kValueOutNoise, kValueOutIdentity, generator);
  qkv.slice(0, 2 * dim).copy_(v);
  parameters[block + "attn.proj.weight"].copy_(out.mT());
}

}  // namespace

void mimetic_init(vit::VisionTransformer& model, uint64_t seed) {
  const at::NoGradGuard no_gradient;
  const vit::VitConfig& config = model->config();
  for (int64_t i = 0; i < config.depth; ++i)
    if (const auto& attention = config.block_at(i).attention;
        attention.kv_heads() != attention.num_heads)
      base::fail("mimetic weights are for as many heads of keys as of queries, not for ",
                 attention.kv_heads(), " and ", attention.num_heads);
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  auto parameters = model->named_parameters();
  for (int64_t i = 0; i < config.depth; ++i)
    init_block(parameters, "blocks." + std::to_string(i) + ".", config, generator);
  if (config.positions.kind == vit::PositionKind::learned && config.embed_dim() % 4 == 0) {
    const vit::Size2d own = config.positions.table;
    const vit::Size2d table = own == vit::Size2d() ? config.grid().size() : own;
    const int64_t prefix = config.num_positions() - table.height * table.width;
    parameters["pos_embed"].slice(1, prefix).copy_(
        vit::sincos_positions_2d(table, config.embed_dim()));
  }
  // Patches must be seen beside such positions: as large as LibTorch's convolutions begin.
  at::Tensor patches = parameters["patch_embed.proj.weight"];
  const double bound = 1 / std::sqrt(static_cast<double>(patches[0].numel()));
  patches.uniform_(-bound, bound, generator);
}

}  // namespace train
