#include <numbers>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>

#include <vit/kernel_choice.h>
#include <vit/kernels/tile_activation.h>
#include <vit/training/attention_function.h>
#include <vit/training/fused_branches.h>
#include <vit/training/mlp_function.h>
#include <vit/training/rotation_tables.h>

namespace vit::training {
namespace {

using kernels::BlockWeights;
using kernels::KernelBlock;

/// [B, N] -> what the attention kernels add to the scores of each key, undefined for nothing.
at::Tensor padded_key_bias(const at::Tensor& key_bias) {
  if (!key_bias.defined()) return {};
  const int64_t tokens = key_bias.size(1);
  auto padded = at::zeros({key_bias.size(0), simd::round_up(tokens)}, at::kFloat);
  padded.slice(1, 0, tokens).copy_(key_bias.detach() * std::numbers::log2e);
  return padded;
}

}  // namespace

bool trains(const KernelBlock& block) {
  const auto padded = [](int64_t size) { return size % simd::kPad == 0; };
  return padded(block.dim) && padded(block.head_dim()) && padded(block.hidden_dim) &&
         !block.relative_bias;
}

std::optional<at::ScalarType> fused_dtype(const KernelBlock& block, const at::Tensor& tokens,
                                          const BlockWeights& weights) {
  if (!c10::GradMode::is_enabled() || !tokens.device().is_cpu() || tokens.numel() == 0 ||
      !trains(block) || kernels::reference_only())
    return std::nullopt;
  bool wants_gradient = tokens.requires_grad(), fits = true;
  weights.each([&](const at::Tensor& parameter) {
    fits = fits && parameter.device().is_cpu() && parameter.scalar_type() == at::kFloat;
    wants_gradient = wants_gradient || parameter.requires_grad();
  });
  if (!fits || !wants_gradient) return std::nullopt;
  const bool autocast = at::autocast::is_autocast_enabled(at::kCPU);
  const bool narrow = autocast && at::autocast::get_autocast_dtype(at::kCPU) == at::kBFloat16;
  if (autocast ? !narrow : tokens.scalar_type() != at::kFloat) return std::nullopt;
  // bfloat16 that the CPU cannot multiply is faster in float32, and no less exact.
  if (narrow && kernels::is_native(kernels::Math::bf16)) return at::kBFloat16;
  if (kernels::is_native(kernels::Math::fp32)) return at::kFloat;
  return std::nullopt;
}

bool turns_fused(const KernelBlock& block, const RotaryAngles& angles) {
  if (angles.sin.requires_grad() || angles.cos.requires_grad()) return false;
  return angles.sin.size(1) == 1 || block.num_kv_heads == block.num_heads;
}

AttentionOutputs attention_branch(const KernelBlock& block, const BlockWeights& weights,
                                  const AttentionInputs& inputs, at::ScalarType dtype) {
  const auto& w = weights;
  variable_list list(kAttentionArguments);
  list[kX] = inputs.tokens.to(at::kFloat);
  list[kNormWeight] = w.norm1.weight;
  list[kNormBias] = w.norm1.bias;
  list[kFirstWeight] = w.qkv.weight;
  list[kFirstBias] = w.qkv.bias;
  list[kInnerNormWeight] = w.attn_norm.weight;
  list[kInnerNormBias] = w.attn_norm.bias;
  list[kLastWeight] = w.proj.weight;
  list[kLastBias] = w.proj.bias;
  list[kGamma] = w.gamma1;
  list[kPathFactors] = inputs.path_factors;
  list[kQNormWeight] = w.q_norm.weight;
  list[kQNormBias] = w.q_norm.bias;
  list[kKNormWeight] = w.k_norm.weight;
  list[kKNormBias] = w.k_norm.bias;
  list[kKeyBias] = padded_key_bias(inputs.key_bias);
  AttentionSettings settings{block.num_heads, block.num_kv_heads, block.norm_kind, block.norm_eps};
  if (inputs.rotary) {
    auto tables = rotation_tables(*inputs.rotary, block.head_dim());
    list[kRotation] = std::move(tables.table);
    settings.pairs = tables.pairs;
    settings.angles = tables.angles;
  }
  const auto result = attention_function(BranchTensors(std::move(list), kAttentionArguments),
                                         settings, inputs.with_metric, dtype);
  return {result[0], inputs.with_metric ? result[1] : at::Tensor()};
}

at::Tensor mlp_branch(const KernelBlock& block, const BlockWeights& weights,
                      const at::Tensor& tokens, const at::Tensor& path_factors,
                      at::ScalarType dtype) {
  const auto& w = weights;
  variable_list list(kBranchArguments);
  list[kX] = tokens.to(at::kFloat);
  list[kNormWeight] = w.norm2.weight;
  list[kNormBias] = w.norm2.bias;
  list[kFirstWeight] = w.fc1.weight;
  list[kFirstBias] = w.fc1.bias;
  list[kInnerNormWeight] = w.mlp_norm.weight;
  list[kInnerNormBias] = w.mlp_norm.bias;
  list[kLastWeight] = w.fc2.weight;
  list[kLastBias] = w.fc2.bias;
  list[kGamma] = w.gamma2;
  list[kPathFactors] = path_factors;
  const auto activation =
      block.gated() ? simd::TileActivation{} : kernels::tile_activation(block.hidden);
  return mlp_function(BranchTensors(std::move(list), kBranchArguments),
                      {block.gated(), activation, block.norm_kind, block.norm_eps}, dtype);
}

}  // namespace vit::training
