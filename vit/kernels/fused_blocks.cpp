#include <algorithm>
#include <mutex>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>

#include <vit/error.h>
#include <vit/kernel_choice.h>
#include <vit/kernels/encoder.h>
#include <vit/kernels/fused_blocks.h>
#include <vit/kernels/product.h>
#include <vit/kernels/run_count.h>

namespace vit::kernels {
namespace {

/// In what the encoder computes blocks of one kind; nothing where it does not fit them.
std::optional<Math> math_for(const std::optional<KernelBlock>& block, at::ScalarType dtype,
                             bool quantize) {
  if (!block || (dtype != at::kFloat && dtype != at::kBFloat16)) return std::nullopt;
  // bfloat16 that the CPU cannot multiply is faster in float32, and no less exact.
  const Math math = quantize                                          ? Math::int8
                    : dtype == at::kBFloat16 && is_native(Math::bf16) ? Math::bf16
                                                                      : Math::fp32;
  return Encoder::supports(math) ? std::optional(math) : std::nullopt;
}

/// Whether what is around a pass, and its reducer, leave it to the encoder.
bool may_run(const TokenReducer* reducer) {
  return !at::autocast::is_autocast_enabled(at::kCPU) && (!reducer || reducer->per_sample());
}

/// Whether the encoder knows what only weights say. Keys that heads of queries share would need a
/// rotation for each of them where angles are learned.
bool knows(const KernelBlock& block, std::span<const BlockWeights> weights) {
  return std::ranges::all_of(weights, [&](const BlockWeights& layer) {
    return !layer.rotary_freqs.defined() || layer.qkv.weight.size(0) == 3 * block.dim;
  });
}

/// Whether somebody wants gradients of what the blocks compute.
bool wants_gradient(std::span<const BlockWeights> weights, const at::Tensor& tokens) {
  if (!c10::GradMode::is_enabled()) return false;
  bool wants = tokens.requires_grad();
  for (const auto& block : weights)
    block.each([&](const at::Tensor& parameter) { wants = wants || parameter.requires_grad(); });
  return wants;
}

}  // namespace

bool has_native_int8() { return is_native(Math::int8) && is_native(Math::fp32); }

/// An encoder between two passes: only its memory is of use.
struct FusedBlocks::Memory {
  std::unique_ptr<Encoder> take(Math math) {
    const std::lock_guard lock(mutex);
    return idle && idle->math() == math ? std::move(idle) : nullptr;
  }
  /// One is enough: passes seldom run at the same time, and each has the size of the weights.
  void leave(std::unique_ptr<Encoder> encoder) {
    const std::lock_guard lock(mutex);
    idle = std::move(encoder);
  }

  std::mutex mutex;
  std::unique_ptr<Encoder> idle;
};

FusedBlocks::FusedBlocks(const BlockConfig& config)
    : block_(lower(config)), memory_(std::make_unique<Memory>()) {}
FusedBlocks::~FusedBlocks() = default;

bool FusedBlocks::run(std::span<const BlockWeights> weights, bool quantize, TokenState& state,
                      const TokenReducer* reducer) const {
  if (weights.empty() || !state.tokens.device().is_cpu() || reference_only() || !may_run(reducer))
    return false;
  const auto math = math_for(block_, state.tokens.scalar_type(), quantize);
  if (!math || !knows(*block_, weights) || wants_gradient(weights, state.tokens)) return false;
  auto encoder = memory_->take(*math);
  if (encoder)
    encoder->repack(weights);
  else
    encoder = std::make_unique<Encoder>(*block_, weights, *math, /*free_weights=*/false);
  encoder->forward(state, reducer);
  memory_->leave(std::move(encoder));
  count_fused_run();
  return true;
}

struct PackedBlocks::Packed {
  Encoder encoder;
  at::ScalarType dtype;
};

PackedBlocks::PackedBlocks(std::unique_ptr<const Packed> packed) : packed_(std::move(packed)) {}
PackedBlocks::~PackedBlocks() = default;

std::unique_ptr<const PackedBlocks> PackedBlocks::pack(const BlockConfig& config,
                                                       std::span<const BlockWeights> weights,
                                                       bool quantize, at::ScalarType dtype,
                                                       bool free_weights) {
  const auto block = lower(config);
  const auto math = math_for(block, dtype, quantize);
  if (weights.empty() || !math || !knows(*block, weights) || reference_only()) return nullptr;
  bool on_cpu = true;
  weights.front().each([&](const at::Tensor& x) { on_cpu = on_cpu && x.device().is_cpu(); });
  if (!on_cpu) return nullptr;
  auto packed = std::unique_ptr<const Packed>(
      new Packed{Encoder(*block, weights, *math, free_weights), dtype});
  return std::unique_ptr<const PackedBlocks>(new PackedBlocks(std::move(packed)));
}

void PackedBlocks::run(TokenState& state, const TokenReducer* reducer) const {
  const bool wants_gradient = c10::GradMode::is_enabled() && state.tokens.requires_grad();
  if (state.tokens.scalar_type() != packed_->dtype || !state.tokens.device().is_cpu() ||
      wants_gradient || reference_only() || !may_run(reducer))
    fail(
        "an inference model has its weights packed for one purpose, to be run on the CPU in the "
        "dtype it was loaded in, without gradients; use a VisionTransformer for anything else");
  packed_->encoder.forward(state, reducer);
  count_fused_run();
}

}  // namespace vit::kernels
