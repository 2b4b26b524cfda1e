#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vit/kernel_choice.h>
#include <vit/kernels/float_data.h>
#include <vit/kernels/tile_activation.h>
#include <vit/training/attention_pass.h>
#include <vit/training/fused_branches.h>
#include <vit/training/mlp_pass.h>

namespace vit::training {
namespace {

using kernels::BlockWeights;
using kernels::float_data;
using kernels::KernelBlock;
using simd::Bf16;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double kLog2E = 1.4426950408889634;

template <typename T>
T* saved_data(const at::Tensor& x) {
  return static_cast<T*>(x.mutable_data_ptr());
}

using Optional = std::optional<at::Tensor>;

Optional optional(const at::Tensor& x) { return x.defined() ? Optional(x) : std::nullopt; }

/// The tensors that both functions take, in the order of their arguments and of what they save for
/// their backward pass. The first layer is qkv or fc1, the last one proj or fc2.
enum Argument : std::size_t {
  kX,
  kNormWeight,
  kNormBias,
  kFirstWeight,
  kLastWeight,
  kFirstBias,
  kLastBias,
  kGamma,
  kPathFactors,
  kBranchArguments
};

/// What is saved behind them.
enum AttentionSaved : std::size_t { kKeyBias = kBranchArguments, kHeads, kAttended };
enum MlpSaved : std::size_t { kHidden = kBranchArguments };

/// Arguments in all, those that are no tensors too: the backward pass returns as many gradients.
constexpr std::size_t kAttentionArguments = kBranchArguments + 5;
constexpr std::size_t kMlpArguments = kBranchArguments + 4;

/// The tensors of both functions, contiguous.
struct Saved {
  at::Tensor x, norm_weight, norm_bias, first_weight, last_weight;
  at::Tensor first_bias, last_bias, gamma, path_factors;  // may be undefined

  explicit Saved(const variable_list& list) {
    at::Tensor* const to[kBranchArguments] = {&x,           &norm_weight, &norm_bias, &first_weight,
                                              &last_weight, &first_bias,  &last_bias, &gamma,
                                              &path_factors};
    for (std::size_t i = 0; i < kBranchArguments; ++i)
      if (list[i].defined()) *to[i] = list[i].contiguous();
    if (!first_bias.defined()) zeros = at::zeros({first_weight.size(0)}, at::kFloat);
  }

  BranchData branch(double eps) const {
    return {float_data(x),
            x.size(0),
            x.size(1),
            x.size(2),
            float_data(norm_weight),
            float_data(norm_bias),
            static_cast<float>(eps),
            float_data(gamma),
            float_data(path_factors)};
  }
  const float* first_bias_data() const {
    return float_data(first_bias.defined() ? first_bias : zeros);
  }

  at::Tensor zeros;  // for a layer without bias
};

/// Whether anybody wants the gradients of the last layer's weights, or what follows from them.
bool wants_last(AutogradContext* context, const Saved& saved) {
  return context->needs_input_grad(kLastWeight) ||
         (saved.gamma.defined() && saved.gamma.requires_grad());
}

/// Whether the backward pass may run; second derivatives would come out as zero.
void check_first_derivative() {
  TORCH_CHECK(!c10::GradMode::is_enabled(),
              "vit: the fused kernels have no second derivatives; set VITOME_KERNELS=reference in "
              "the environment to compute them");
}

/// The gradients of a function of so many arguments, in their order.
variable_list by_argument(const Saved& saved, const BranchGradients& of, std::size_t arguments) {
  const auto last = scaled_layer_gradients(saved.last_weight, saved.last_bias, saved.gamma,
                                           of.last_weight, of.last_bias);
  variable_list result(arguments);
  result[kX] = of.x;
  result[kNormWeight] = of.norm_weight;
  result[kNormBias] = of.norm_bias;
  result[kFirstWeight] = of.first_weight;
  result[kLastWeight] = last.weight;
  if (saved.first_bias.defined()) result[kFirstBias] = of.first_bias;
  if (saved.last_bias.defined()) result[kLastBias] = last.bias;
  result[kGamma] = last.gamma;
  return result;
}

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& x,
                               const at::Tensor& norm_weight, const at::Tensor& norm_bias,
                               const at::Tensor& qkv_weight, const at::Tensor& proj_weight,
                               const Optional& qkv_bias, const Optional& proj_bias,
                               const Optional& gamma, const Optional& path_factors,
                               const Optional& key_bias, int64_t heads, double eps,
                               bool with_metric, at::ScalarType dtype) {
    const int64_t batch = x.size(0), tokens = x.size(1), dim = x.size(2);
    auto projected = at::empty({3, heads, batch * tokens, dim / heads}, dtype);
    auto attended = at::empty({batch, tokens, dim}, dtype);
    auto out = at::empty({batch, tokens, dim}, at::kFloat);
    at::Tensor metric;
    if (with_metric) metric = at::empty({batch, tokens, dim / heads}, at::kFloat);
    const at::Tensor none;
    const variable_list tensors{x,
                                norm_weight,
                                norm_bias,
                                qkv_weight,
                                proj_weight,
                                qkv_bias.value_or(none),
                                proj_bias.value_or(none),
                                gamma.value_or(none),
                                path_factors.value_or(none),
                                key_bias.value_or(none),
                                projected,
                                attended};
    const Saved saved(tensors);
    const auto run = [&]<typename T>(T*) {
      attention_forward<T>(describe(saved, tensors[kKeyBias], heads, eps),
                           {saved_data<T>(projected), saved_data<T>(attended)},
                           out.mutable_data_ptr<float>(),
                           with_metric ? metric.mutable_data_ptr<float>() : nullptr);
    };
    dtype == at::kFloat ? run(static_cast<float*>(nullptr)) : run(static_cast<Bf16*>(nullptr));
    context->save_for_backward(tensors);
    context->saved_data["heads"] = heads;
    context->saved_data["eps"] = eps;
    if (with_metric) context->mark_non_differentiable({metric});
    return with_metric ? variable_list{out, metric} : variable_list{out};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    check_first_derivative();
    const auto tensors = context->get_saved_variables();
    const Saved saved(tensors);
    const auto &projected = tensors[kHeads], &attended = tensors[kAttended];
    const auto gradient = gradients[0].contiguous();
    const auto shape = describe(saved, tensors[kKeyBias], context->saved_data["heads"].toInt(),
                                context->saved_data["eps"].toDouble());
    const auto run = [&]<typename T>(T*) {
      return attention_backward<T>(shape, {saved_data<T>(projected), saved_data<T>(attended)},
                                   float_data(gradient), context->needs_input_grad(kFirstWeight),
                                   wants_last(context, saved));
    };
    const auto result = projected.scalar_type() == at::kFloat ? run(static_cast<float*>(nullptr))
                                                              : run(static_cast<Bf16*>(nullptr));
    return by_argument(saved, result, kAttentionArguments);
  }

 private:
  static AttentionData describe(const Saved& saved, const at::Tensor& key_bias, int64_t heads,
                                double eps) {
    return {saved.branch(eps),
            heads,
            float_data(saved.first_weight),
            saved.first_bias_data(),
            float_data(saved.last_weight),
            float_data(saved.last_bias),
            float_data(key_bias)};
  }
};

class MlpFunction : public torch::autograd::Function<MlpFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& norm_weight, const at::Tensor& norm_bias,
                            const at::Tensor& fc1_weight, const at::Tensor& fc2_weight,
                            const Optional& fc1_bias, const Optional& fc2_bias,
                            const Optional& gamma, const Optional& path_factors, int64_t activation,
                            bool gated, double eps, at::ScalarType dtype) {
    auto hidden = at::empty({x.size(0), x.size(1), fc1_weight.size(0)}, dtype);
    auto out = at::empty(x.sizes(), at::kFloat);
    const at::Tensor none;
    const variable_list tensors{x,
                                norm_weight,
                                norm_bias,
                                fc1_weight,
                                fc2_weight,
                                fc1_bias.value_or(none),
                                fc2_bias.value_or(none),
                                gamma.value_or(none),
                                path_factors.value_or(none),
                                hidden};
    const Saved saved(tensors);
    const auto shape = describe(saved, activation, gated, eps);
    if (dtype == at::kFloat)
      mlp_forward(shape, saved_data<float>(hidden), out.mutable_data_ptr<float>());
    else
      mlp_forward(shape, saved_data<Bf16>(hidden), out.mutable_data_ptr<float>());
    context->save_for_backward(tensors);
    context->saved_data["activation"] = activation;
    context->saved_data["gated"] = gated;
    context->saved_data["eps"] = eps;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    check_first_derivative();
    const auto tensors = context->get_saved_variables();
    const Saved saved(tensors);
    const auto& hidden = tensors[kHidden];
    const auto gradient = gradients[0].contiguous();
    const auto shape =
        describe(saved, context->saved_data["activation"].toInt(),
                 context->saved_data["gated"].toBool(), context->saved_data["eps"].toDouble());
    const bool wants_fc1 = context->needs_input_grad(kFirstWeight);
    const bool wants_fc2 = wants_last(context, saved);
    const auto run = [&]<typename T>(T*) {
      return mlp_backward<T>(shape, saved_data<T>(hidden), float_data(gradient), wants_fc1,
                             wants_fc2);
    };
    const auto result = hidden.scalar_type() == at::kFloat ? run(static_cast<float*>(nullptr))
                                                           : run(static_cast<Bf16*>(nullptr));
    return by_argument(saved, result, kMlpArguments);
  }

 private:
  static MlpData describe(const Saved& saved, int64_t activation, bool gated, double eps) {
    return {saved.branch(eps),
            saved.last_weight.size(1),
            gated,
            static_cast<simd::TileActivation>(activation),
            float_data(saved.first_weight),
            saved.first_bias_data(),
            float_data(saved.last_weight),
            float_data(saved.last_bias)};
  }
};

/// Whether the kernels of training, whose rows are not padded, know blocks of these sizes.
bool trains(const KernelBlock& block) {
  const auto padded = [](int64_t size) { return size % simd::kPad == 0; };
  return padded(block.dim) && padded(block.head_dim()) && padded(block.hidden_dim) &&
         block.num_kv_heads == block.num_heads && block.norm_kind == NormKind::layer_norm &&
         block.hidden != kernels::HiddenKind::silu && !block.qk_norm && !block.attn_norm &&
         !block.mlp_norm && !block.rotary && !block.relative_bias;
}

}  // namespace

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

AttentionOutputs attention_branch(const KernelBlock& block, const BlockWeights& weights,
                                  const AttentionInputs& inputs, at::ScalarType dtype) {
  at::Tensor key_bias;
  if (inputs.key_bias.defined()) {
    const int64_t tokens = inputs.key_bias.size(1);
    key_bias = at::zeros({inputs.key_bias.size(0), simd::round_up(tokens)}, at::kFloat);
    key_bias.slice(1, 0, tokens).copy_(inputs.key_bias.detach() * kLog2E);
  }
  const auto& w = weights;
  const auto result = AttentionFunction::apply(
      inputs.tokens.to(at::kFloat), w.norm1.weight, w.norm1.bias, w.qkv.weight, w.proj.weight,
      optional(w.qkv.bias), optional(w.proj.bias), optional(w.gamma1),
      optional(inputs.path_factors), optional(key_bias), block.num_heads, double{block.norm_eps},
      inputs.with_metric, dtype);
  return {result[0], inputs.with_metric ? result[1] : at::Tensor()};
}

at::Tensor mlp_branch(const KernelBlock& block, const BlockWeights& weights,
                      const at::Tensor& tokens, const at::Tensor& path_factors,
                      at::ScalarType dtype) {
  const auto& w = weights;
  const auto activation =
      block.gated() ? simd::TileActivation{} : kernels::tile_activation(block.hidden);
  return MlpFunction::apply(
      tokens.to(at::kFloat), w.norm2.weight, w.norm2.bias, w.fc1.weight, w.fc2.weight,
      optional(w.fc1.bias), optional(w.fc2.bias), optional(w.gamma2), optional(path_factors),
      static_cast<int64_t>(activation), block.gated(), double{block.norm_eps}, dtype);
}

}  // namespace vit::training
