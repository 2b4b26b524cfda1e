#include <algorithm>
#include <numbers>
#include <numeric>
#include <optional>
#include <set>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>

#include <vit/kernels/encoder.h>
#include <vit/kernels/encoder_pass.h>
#include <vit/merging/check_groups.h>

namespace vit::kernels {
namespace {

/// Empties a weight of a module unless somebody else has it, who may still need it.
void free_weight(at::Tensor weight) {
  // Its layer, the module's list of parameters, the copy of the caller's and this one.
  constexpr std::size_t kOwners = 4;
  if (weight.use_count() <= kOwners) weight.set_data(at::empty({0}, weight.options()));
}

/// Heads of keys and values that a projection to queries, keys and values has.
int64_t kv_heads_of(const KernelBlock& block, const at::Tensor& qkv) {
  const int64_t rows = qkv.size(0), both = rows / block.head_dim() - block.num_heads;
  TORCH_CHECK(rows % block.head_dim() == 0 && both >= 2 && both % 2 == 0 &&
                  block.num_heads % (both / 2) == 0,
              "Encoder: a qkv weight of ", rows, " rows does not fit ", block.num_heads,
              " heads of ", block.head_dim(), " channels");
  return both / 2;
}

/// Relative biases [heads, N0, N0] in units of log2, rows padded.
at::Tensor packed_relative_bias(const at::Tensor& bias) {
  if (!bias.defined()) return bias;
  const int64_t tokens = bias.size(2);
  const auto scaled = bias.detach().to(at::kFloat) * std::numbers::log2e;
  return at::constant_pad_nd(scaled, {0, simd::round_up(tokens) - tokens}).contiguous();
}

/// Packs a layer in the memory of another one of its shapes, which may be empty.
EncoderLayer pack_layer(const KernelBlock& block, const BlockWeights& from, Math math,
                        bool free_weights, EncoderLayer memory) {
  const auto vector = [](const at::Tensor& x, int64_t size) {
    return x.defined() ? padded_vector(x.detach(), size) : x;
  };
  const auto norm = [&](const NormWeights& x, int64_t size) {
    return PackedNorm{vector(x.weight, size), vector(x.bias, size)};
  };
  const auto linear = [&](const LinearWeights& layer, int64_t groups, PackedLinear& old) {
    const auto bias = layer.bias.defined() ? layer.bias.detach() : layer.bias;
    PackedLinear packed(layer.weight.detach(), bias, math, groups, std::move(old));
    if (free_weights) free_weight(layer.weight);
    return packed;
  };
  const int64_t dim = block.dim, head_dim = block.head_dim();
  EncoderLayer layer;
  layer.norm1 = norm(from.norm1, dim);
  layer.norm2 = norm(from.norm2, dim);
  layer.q_norm = norm(from.q_norm, head_dim);
  layer.k_norm = norm(from.k_norm, head_dim);
  layer.attn_norm = norm(from.attn_norm, dim);
  layer.mlp_norm = norm(from.mlp_norm, block.hidden_dim);
  layer.gamma1 = vector(from.gamma1, dim);
  layer.gamma2 = vector(from.gamma2, dim);
  layer.kv_heads = kv_heads_of(block, from.qkv.weight);
  layer.rotary = packed_frequencies(block, from.rotary_freqs, from.class_angles);
  if (!block.qk_norm) {
    const auto mean_of_keys = [&](const at::Tensor& x) {
      if (!x.defined()) return x;
      return x.detach()
          .narrow(0, dim, layer.kv_heads * head_dim)
          .view({layer.kv_heads, head_dim, -1})
          .to(at::kFloat)
          .mean(0);
    };
    const auto bias = mean_of_keys(from.qkv.bias);
    layer.metric.emplace(mean_of_keys(from.qkv.weight), bias.defined() ? bias.flatten() : bias,
                         attention_math(math));
  }
  layer.qkv = linear(from.qkv, block.num_heads + 2 * layer.kv_heads, memory.qkv);
  layer.proj = linear(from.proj, 1, memory.proj);
  layer.fc1 = linear(from.fc1, block.fc1_groups(), memory.fc1);
  layer.fc2 = linear(from.fc2, 1, memory.fc2);
  return layer;
}

/// Those samples that one of several threads runs, so that all have nearly as many tokens.
Range samples_of(const std::vector<int64_t>& counts, int64_t thread, int64_t threads) {
  const int64_t total = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  const auto first = [&](int64_t of) {
    int64_t sample = 0, before = 0;
    for (; sample < static_cast<int64_t>(counts.size()); ++sample) {
      const int64_t middle = before + counts[sample] / 2;
      if (middle * threads >= total * of) break;
      before += counts[sample];
    }
    return sample;
  };
  return {first(thread), first(thread + 1)};
}

}  // namespace

void TokenPlan::take_in(const TokenPlan& other) {
  exact = false;
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = std::max(tokens[i], other.tokens[i]);
  for (std::size_t i = 0; i < needs.size(); ++i)
    if (!needs[i]) needs[i] = other.needs[i];
}

TokenPlan plan_tokens(const Encoder& encoder, int64_t tokens, int64_t prefix_tokens,
                      const TokenReducer* reducer) {
  TokenPlan plan{reducer, prefix_tokens, {tokens}, {}};
  for (int64_t layer = 0; layer < encoder.depth(); ++layer) {
    const LayerTokens at{layer, encoder.depth(), plan.tokens.back(), prefix_tokens};
    plan.needs.push_back(reducer ? reducer->needs(at) : std::nullopt);
    const auto after =
        plan.needs.back() ? reducer->tokens_after(at) : std::optional<int64_t>(at.tokens);
    plan.exact = plan.exact && after;
    plan.tokens.push_back(after.value_or(at.tokens));
  }
  return plan;
}

bool Encoder::supports(Math math) {
  // Whatever is quantized, attention multiplies floating point numbers.
  return is_native(math) && is_native(Math::fp32);
}

Encoder::Encoder(const KernelBlock& block, std::span<const BlockWeights> weights, Math math,
                 bool free_weights)
    : block_(block), math_(math) {
  pack(weights, free_weights);
}

void Encoder::pack(std::span<const BlockWeights> weights, bool free_weights) {
  layers_.resize(weights.size());
  const auto shares_bias = [&](int64_t i) {
    const at::Tensor& bias = weights[i].relative_bias;
    return i > 0 && bias.defined() && bias.is_same(weights[i - 1].relative_bias);
  };
  // What the caller said of gradients and inference mode holds in its own thread only.
  const at::ThreadLocalState caller;
  at::parallel_for(0, depth(), 1, [&](int64_t begin, int64_t end) {
    const at::ThreadLocalStateGuard guard(caller);
    for (int64_t i = begin; i < end; ++i) {
      layers_[i] = pack_layer(block_, weights[i], math_, free_weights, std::move(layers_[i]));
      if (!shares_bias(i))
        layers_[i].relative_bias = packed_relative_bias(weights[i].relative_bias);
    }
  });
  for (int64_t i = 1; i < depth(); ++i)
    if (shares_bias(i)) layers_[i].relative_bias = layers_[i - 1].relative_bias;
}

void Encoder::check_positions(const TokenState& state) const {
  const bool relative = std::any_of(layers_.begin(), layers_.end(), [](const auto& layer) {
    return layer.relative_bias.defined();
  });
  TORCH_CHECK(state.counts.empty() || !(block_.rotary || relative),
              "Encoder: samples of different numbers of tokens, which relative positions forbid");
  if (block_.rotary)
    TORCH_CHECK(state.positions.defined() && state.positions.dim() == 3 &&
                    state.positions.size(2) == block_.rotary->axes,
                "Encoder: rotary positions need places [B, N, ", block_.rotary->axes, "]");
  for (const auto& layer : layers_)
    TORCH_CHECK(
        !layer.relative_bias.defined() || layer.relative_bias.size(1) == state.tokens.size(1),
        "Encoder: a relative bias of ", layer.relative_bias.size(1), " tokens for an input of ",
        state.tokens.size(1));
}

void Encoder::forward(TokenState& state, const TokenReducer* reducer) const {
  check_positions(state);
  const int64_t batch = state.tokens.size(0);
  const auto input = state.tokens.contiguous();
  auto plan = plan_tokens(*this, input.size(1), state.prefix_tokens, reducer);
  for (const int64_t count : std::set<int64_t>(state.counts.begin(), state.counts.end()))
    plan.take_in(plan_tokens(*this, count, state.prefix_tokens, reducer));
  for (int64_t i = 0; i < depth(); ++i)
    merging::checked_needs(reducer, {i, depth(), plan.tokens[i], plan.prefix_tokens},
                           state.class_token);
  const int64_t left = plan.tokens.back();
  const auto floats = input.options().dtype(at::kFloat);

  const std::vector<int64_t> input_counts = state.counts;
  std::vector<int64_t> counts = input_counts;
  if (counts.empty()) counts.assign(batch, left);
  BatchTensors tensors;
  if (!input_counts.empty()) tensors.input_counts = input_counts.data();
  tensors.input = input;
  tensors.output = plan.exact ? at::empty({batch, left, input.size(2)}, input.options())
                              : at::zeros({batch, left, input.size(2)}, input.options());
  tensors.grid = state.grid;
  if (state.positions.defined()) {
    tensors.same_positions = state.positions.size(0) == 1 || state.positions.stride(0) == 0;
    tensors.input_positions = state.positions.expand({batch, -1, -1}).contiguous();
  }
  if (plan.merges()) {
    tensors.size = at::empty({batch, left}, floats);
    tensors.counts = counts.data();
    if (state.source.defined()) tensors.source = at::empty({batch, left, input.size(1)}, floats);
    if (state.positions.defined()) {
      tensors.positions = at::empty({batch, left, state.positions.size(2)}, floats);
    }
  }

  const int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  // A thread that has samples of its own waits for nobody. With few samples that do not divide
  // evenly that would leave threads idle at the end: there they share all of them layer by layer.
  const bool own_samples =
      threads > 1 && batch >= threads && (batch % threads == 0 || batch >= 4 * threads);
  const auto run = [&](Range samples, int64_t team) {
    WorkspacePool::Loan workspace(workspaces_);
    run_pass(*this, plan, tensors, samples, team, best_parallelism(*this, plan, samples, team),
             *workspace);
  };
  if (own_samples)
    at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Range samples = input_counts.empty() ? part_of(batch, i, threads)
                                                   : samples_of(input_counts, i, threads);
        if (samples.size() > 0) run(samples, 1);
      }
    });
  else if (batch > 0)
    run({0, batch}, threads);

  const int64_t longest = batch > 0 ? *std::max_element(counts.begin(), counts.end()) : left;
  const auto cut = [&](const at::Tensor& x) { return x.slice(1, 0, longest).contiguous(); };
  state.tokens = cut(tensors.output);
  if (tensors.size.defined()) state.size = cut(tensors.size);
  if (tensors.source.defined()) state.source = cut(tensors.source);
  if (tensors.positions.defined()) state.positions = cut(tensors.positions);
  const bool ragged =
      std::any_of(counts.begin(), counts.end(), [&](int64_t count) { return count < longest; });
  state.counts = ragged ? counts : std::vector<int64_t>();
  state.layer = depth();
}

}  // namespace vit::kernels
