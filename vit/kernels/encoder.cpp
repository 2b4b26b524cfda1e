#include <vit/kernels/encoder.h>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>

#include <vit/flops.h>
#include <vit/kernels/encoder_pass.h>

namespace vit::kernels {
namespace {

EncoderLayer pack_layer(const KernelBlock& block, const BlockWeights& from, Math math,
                        bool free_weights) {
  const auto vector = [](const at::Tensor& x, int64_t size) {
    return x.defined() ? padded_vector(x.detach(), size) : x;
  };
  const auto linear = [&](const LinearWeights& layer, int64_t groups) {
    const auto bias = layer.bias.defined() ? layer.bias.detach() : layer.bias;
    PackedLinear packed(layer.weight.detach(), bias, math, groups);
    at::Tensor weight = layer.weight;
    if (free_weights) weight.set_data(at::empty({0}, weight.options()));
    return packed;
  };
  const int64_t dim = block.dim, head_dim = block.head_dim();
  EncoderLayer layer;
  layer.norm1_weight = vector(from.norm1.weight, dim);
  layer.norm1_bias = vector(from.norm1.bias, dim);
  layer.norm2_weight = vector(from.norm2.weight, dim);
  layer.norm2_bias = vector(from.norm2.bias, dim);
  layer.q_norm_weight = vector(from.q_norm.weight, head_dim);
  layer.q_norm_bias = vector(from.q_norm.bias, head_dim);
  layer.k_norm_weight = vector(from.k_norm.weight, head_dim);
  layer.k_norm_bias = vector(from.k_norm.bias, head_dim);
  layer.gamma1 = vector(from.gamma1, dim);
  layer.gamma2 = vector(from.gamma2, dim);
  if (!block.qk_norm) {
    const auto mean_of_keys = [&](const at::Tensor& x) {
      if (!x.defined()) return x;
      return x.detach().view({3, block.num_heads, head_dim, -1})[1].to(at::kFloat).mean(0);
    };
    const auto bias = mean_of_keys(from.qkv.bias);
    layer.metric.emplace(mean_of_keys(from.qkv.weight), bias.defined() ? bias.flatten() : bias,
                         attention_math(math));
  }
  layer.qkv = linear(from.qkv, 3 * block.num_heads);
  layer.proj = linear(from.proj, 1);
  layer.fc1 = linear(from.fc1, block.fc1_groups());
  layer.fc2 = linear(from.fc2, 1);
  return layer;
}

}  // namespace

TokenPlan plan_tokens(const Encoder& encoder, int64_t tokens, int64_t prefix_tokens,
                      const TokenReducer* reducer) {
  const auto left = tokens_per_layer(encoder.depth(), tokens, prefix_tokens, reducer);
  TokenPlan plan{reducer, prefix_tokens, {tokens}};
  plan.tokens.insert(plan.tokens.end(), left.begin(), left.end());
  return plan;
}

bool Encoder::supports(Math math) {
  // Whatever is quantized, attention multiplies floating point numbers.
  return is_native(math) && is_native(Math::fp32);
}

Encoder::Encoder(const KernelBlock& block, std::span<const BlockWeights> weights, Math math,
                 bool free_weights)
    : block_(block), math_(math) {
  layers_.resize(weights.size());
  // What the caller said of gradients and inference mode holds in its own thread only.
  const at::ThreadLocalState caller;
  at::parallel_for(0, depth(), 1, [&](int64_t begin, int64_t end) {
    const at::ThreadLocalStateGuard guard(caller);
    for (int64_t i = begin; i < end; ++i)
      layers_[i] = pack_layer(block, weights[i], math, free_weights);
  });
}

void Encoder::forward(TokenState& state, const TokenReducer* reducer) const {
  const int64_t batch = state.tokens.size(0);
  const auto input = state.tokens.contiguous();
  const auto plan = plan_tokens(*this, input.size(1), state.prefix_tokens, reducer);
  const int64_t left = plan.tokens.back();
  const bool merges = left < plan.tokens.front();
  const auto floats = input.options().dtype(at::kFloat);

  BatchTensors tensors;
  tensors.input = input;
  tensors.output = at::empty({batch, left, input.size(2)}, input.options());
  if (merges) tensors.size = at::empty({batch, left}, floats);
  if (merges && state.source.defined())
    tensors.source = at::empty({batch, left, input.size(1)}, floats);

  const int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  // A thread that has samples of its own waits for nobody. With few samples that do not divide
  // evenly that would leave threads idle at the end: there they share all of them layer by layer.
  const bool own_samples =
      threads > 1 && batch >= threads && (batch % threads == 0 || batch >= 4 * threads);
  const auto run = [&](Share samples, int64_t team) {
    ArenaPool::Loan arena(arenas_);
    run_pass(*this, plan, tensors, samples, team, best_sharing(*this, plan, samples, team), *arena);
  };
  if (own_samples)
    at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) run(share_of(batch, i, threads), 1);
    });
  else if (batch > 0)
    run({0, batch}, threads);

  state.tokens = tensors.output;
  if (merges) state.size = tensors.size;
  if (tensors.source.defined()) state.source = tensors.source;
  state.layer = depth();
}

}  // namespace vit::kernels
