#include <mutex>
#include <optional>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>

#include <vit/error.h>
#include <vit/kernels/choice.h>
#include <vit/kernels/encoder.h>
#include <vit/kernels/fused_blocks.h>

namespace vit::kernels {
namespace {

std::optional<Math> math_for(const VitConfig& config, at::ScalarType dtype, bool quantize) {
  if (dtype != at::kFloat && dtype != at::kBFloat16) return std::nullopt;
  // bfloat16 that the CPU cannot multiply is faster in float32, and no less exact.
  const Math math = quantize                                          ? Math::int8
                    : dtype == at::kBFloat16 && is_native(Math::bf16) ? Math::bf16
                                                                      : Math::fp32;
  if (!Encoder::supports(config, math)) return std::nullopt;
  return math;
}

/// Whether the blocks do what only their modules can.
bool is_training(const std::vector<Block>& blocks, const at::Tensor& tokens) {
  for (const auto& block : blocks)
    if (block->drops_paths()) return true;
  if (!c10::GradMode::is_enabled()) return false;
  if (tokens.requires_grad()) return true;
  for (const auto& block : blocks)
    for (const auto& parameter : block->parameters())
      if (parameter.requires_grad()) return true;
  return false;
}

}  // namespace

bool has_native_int8() { return is_native(Math::int8) && is_native(Math::fp32); }

struct FusedBlocks::Cache {
  /// What tells that a parameter is not what it was.
  struct Mark {
    at::Tensor parameter;
    const void* data;
    int64_t version;
  };

  // Inference tensors count no versions: that of their data's place is all there is.
  static int64_t version_of(const at::Tensor& parameter) {
    return parameter.is_inference() ? 0 : static_cast<int64_t>(parameter._version());
  }

  bool is_current(Math math) const {
    if (!encoder || encoder->math() != math) return false;
    if (packed_only) return true;
    for (const Mark& mark : marks)
      if (mark.parameter.const_data_ptr() != mark.data ||
          version_of(mark.parameter) != mark.version)
        return false;
    return true;
  }

  std::shared_ptr<const Encoder> get(const VitConfig& config, const std::vector<Block>& blocks,
                                     Math math) {
    const std::lock_guard lock(mutex);
    if (is_current(math)) return encoder;
    encoder = nullptr;  // before the new one takes its memory
    marks.clear();
    for (const auto& block : blocks)
      for (const auto& parameter : block->parameters())
        marks.push_back({parameter, parameter.const_data_ptr(), version_of(parameter)});
    encoder = std::make_shared<const Encoder>(config, blocks, math, /*free_weights=*/false);
    return encoder;
  }

  std::mutex mutex;
  std::shared_ptr<const Encoder> encoder;
  std::vector<Mark> marks;
  bool packed_only = false;  // the parameters are gone, and the encoder is all there is
};

FusedBlocks::FusedBlocks() : cache_(std::make_unique<Cache>()) {}
FusedBlocks::~FusedBlocks() = default;

void FusedBlocks::keep_packed_only(const VitConfig& config, const std::vector<Block>& blocks,
                                   bool quantize, at::ScalarType dtype) const {
  const auto math = math_for(config, dtype, quantize);
  if (blocks.empty() || !math || reference_only()) return;
  for (const auto& parameter : blocks.front()->parameters())
    if (!parameter.device().is_cpu()) return;
  const std::lock_guard lock(cache_->mutex);
  if (cache_->packed_only) return;
  cache_->encoder = nullptr;
  cache_->marks.clear();
  cache_->encoder = std::make_shared<const Encoder>(config, blocks, *math, /*free_weights=*/true);
  cache_->packed_only = true;
}

bool FusedBlocks::run(const VitConfig& config, const std::vector<Block>& blocks, bool quantize,
                      TokenState& state, const TokenReducer* reducer) const {
  const auto math = state.tokens.device().is_cpu()
                        ? math_for(config, state.tokens.scalar_type(), quantize)
                        : std::nullopt;
  const bool fits = !blocks.empty() && math && !reference_only() &&
                    !at::autocast::is_autocast_enabled(at::kCPU) &&
                    (!reducer || reducer->per_sample()) && !is_training(blocks, state.tokens);
  if (cache_->packed_only && (!fits || cache_->encoder->math() != *math))
    fail(
        "the model keeps its weights packed for one purpose only, to be run on the CPU in the "
        "dtype "
        "it was loaded in; load it with keep_parameters to do anything else with it");
  if (!fits) return false;
  cache_->get(config, blocks, *math)->forward(state, reducer);
  return true;
}

}  // namespace vit::kernels
