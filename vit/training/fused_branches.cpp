#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vit/kernels/choice.h>
#include <vit/kernels/float_data.h>
#include <vit/kernels/tile_activation.h>
#include <vit/training/attention_pass.h>
#include <vit/training/fused_branches.h>
#include <vit/training/mlp_pass.h>

namespace vit::training {
namespace {

using kernels::float_data;
using simd::Bf16;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kMaxHeadDim = 256;
constexpr double kLog2E = 1.4426950408889634;

template <typename T>
T* kept_data(const at::Tensor& x) {
  return static_cast<T*>(x.mutable_data_ptr());
}

using Optional = std::optional<at::Tensor>;

Optional optional(const at::Tensor& x) { return x.defined() ? Optional(x) : std::nullopt; }

/// What both functions save for their backward pass first, contiguous.
struct Saved {
  static constexpr std::size_t kCount = 9;

  at::Tensor x, norm_weight, norm_bias, first_weight, last_weight;
  at::Tensor first_bias, last_bias, gamma, path_factors;  // may be undefined

  explicit Saved(const variable_list& list) {
    at::Tensor* const to[kCount] = {&x,           &norm_weight, &norm_bias, &first_weight,
                                    &last_weight, &first_bias,  &last_bias, &gamma,
                                    &path_factors};
    for (std::size_t i = 0; i < kCount; ++i)
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
  return context->needs_input_grad(4) || (saved.gamma.defined() && saved.gamma.requires_grad());
}

/// Whether the backward pass may run; second derivatives would come out as zero.
void check_first_derivative() {
  TORCH_CHECK(!c10::GradMode::is_enabled(),
              "vit: the fused kernels have no second derivatives; set VITOME_KERNELS=reference in "
              "the environment to compute them");
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
    auto kept_heads = at::empty({3, heads, batch * tokens, dim / heads}, dtype);
    auto attended = at::empty({batch, tokens, dim}, dtype);
    auto out = at::empty({batch, tokens, dim}, at::kFloat);
    at::Tensor metric;
    if (with_metric) metric = at::empty({batch, tokens, dim / heads}, at::kFloat);
    const at::Tensor none;
    const auto bias = key_bias.value_or(none);
    const variable_list tensors{x,
                                norm_weight,
                                norm_bias,
                                qkv_weight,
                                proj_weight,
                                qkv_bias.value_or(none),
                                proj_bias.value_or(none),
                                gamma.value_or(none),
                                path_factors.value_or(none),
                                bias,
                                kept_heads,
                                attended};
    const Saved saved(tensors);
    const auto run = [&]<typename T>(T*) {
      attention_forward<T>(
          describe(saved, bias, heads, eps), {kept_data<T>(kept_heads), kept_data<T>(attended)},
          out.mutable_data_ptr<float>(), with_metric ? metric.mutable_data_ptr<float>() : nullptr);
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
    const auto &key_bias = tensors[9], &kept_heads = tensors[10], &attended = tensors[11];
    const auto gradient = gradients[0].contiguous();
    const auto shape = describe(saved, key_bias, context->saved_data["heads"].toInt(),
                                context->saved_data["eps"].toDouble());
    const auto run = [&]<typename T>(T*) {
      return attention_backward<T>(shape, {kept_data<T>(kept_heads), kept_data<T>(attended)},
                                   float_data(gradient), context->needs_input_grad(3),
                                   wants_last(context, saved));
    };
    const auto result = kept_heads.scalar_type() == at::kFloat ? run(static_cast<float*>(nullptr))
                                                               : run(static_cast<Bf16*>(nullptr));
    const auto last = scaled_layer_gradients(saved.last_weight, saved.last_bias, saved.gamma,
                                             result.proj_weight, result.proj_bias);
    return {result.x,
            result.norm_weight,
            result.norm_bias,
            result.qkv_weight,
            last.weight,
            saved.first_bias.defined() ? result.qkv_bias : at::Tensor(),
            saved.last_bias.defined() ? last.bias : at::Tensor(),
            last.gamma,
            {},
            {},
            {},
            {},
            {},
            {}};
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
    auto kept = at::empty({x.size(0), x.size(1), fc1_weight.size(0)}, dtype);
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
                                kept};
    const Saved saved(tensors);
    const auto shape = describe(saved, activation, gated, eps);
    if (dtype == at::kFloat)
      mlp_forward(shape, kept_data<float>(kept), out.mutable_data_ptr<float>());
    else
      mlp_forward(shape, kept_data<Bf16>(kept), out.mutable_data_ptr<float>());
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
    const auto& kept = tensors[9];
    const auto gradient = gradients[0].contiguous();
    const auto shape =
        describe(saved, context->saved_data["activation"].toInt(),
                 context->saved_data["gated"].toBool(), context->saved_data["eps"].toDouble());
    const bool wants_fc1 = context->needs_input_grad(3);
    const bool wants_fc2 = wants_last(context, saved);
    const auto result = kept.scalar_type() == at::kFloat
                            ? mlp_backward<float>(shape, kept_data<float>(kept),
                                                  float_data(gradient), wants_fc1, wants_fc2)
                            : mlp_backward<Bf16>(shape, kept_data<Bf16>(kept), float_data(gradient),
                                                 wants_fc1, wants_fc2);
    const auto last = scaled_layer_gradients(saved.last_weight, saved.last_bias, saved.gamma,
                                             result.fc2_weight, result.fc2_bias);
    return {result.x,
            result.norm_weight,
            result.norm_bias,
            result.fc1_weight,
            last.weight,
            saved.first_bias.defined() ? result.fc1_bias : at::Tensor(),
            saved.last_bias.defined() ? last.bias : at::Tensor(),
            last.gamma,
            {},
            {},
            {},
            {},
            {}};
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

bool shapes_fit(const VitConfig& config) {
  const auto padded = [](int64_t size) { return size % simd::kPad == 0; };
  return padded(config.embed_dim) && padded(config.head_dim()) && padded(config.mlp_hidden_dim) &&
         config.head_dim() <= kMaxHeadDim && !config.qk_norm;
}

}  // namespace

std::optional<at::ScalarType> fused_dtype(const VitConfig& config, const at::Tensor& tokens,
                                          const std::vector<at::Tensor>& parameters) {
  if (!c10::GradMode::is_enabled() || !tokens.device().is_cpu() || tokens.numel() == 0 ||
      !shapes_fit(config) || kernels::reference_only())
    return std::nullopt;
  bool trains = tokens.requires_grad();
  for (const auto& parameter : parameters) {
    if (!parameter.device().is_cpu() || parameter.scalar_type() != at::kFloat) return std::nullopt;
    trains = trains || parameter.requires_grad();
  }
  if (!trains) return std::nullopt;
  const bool autocast = at::autocast::is_autocast_enabled(at::kCPU);
  const bool narrow = autocast && at::autocast::get_autocast_dtype(at::kCPU) == at::kBFloat16;
  if (autocast ? !narrow : tokens.scalar_type() != at::kFloat) return std::nullopt;
  // bfloat16 that the CPU cannot multiply is faster in float32, and no less exact.
  if (narrow && kernels::is_native(kernels::Math::bf16)) return at::kBFloat16;
  if (kernels::is_native(kernels::Math::fp32)) return at::kFloat;
  return std::nullopt;
}

AttentionOutputs attention_branch(const VitConfig& config, const BranchParameters& parameters,
                                  const AttentionInputs& inputs, at::ScalarType dtype) {
  at::Tensor key_bias;
  if (inputs.key_bias.defined()) {
    const int64_t tokens = inputs.key_bias.size(1);
    key_bias = at::zeros({inputs.key_bias.size(0), simd::round_up(tokens)}, at::kFloat);
    key_bias.slice(1, 0, tokens).copy_(inputs.key_bias.detach() * kLog2E);
  }
  const auto& p = parameters;
  const auto result = AttentionFunction::apply(
      inputs.tokens.to(at::kFloat), p.norm_weight, p.norm_bias, p.first_weight, p.last_weight,
      optional(p.first_bias), optional(p.last_bias), optional(p.gamma),
      optional(inputs.path_factors), optional(key_bias), config.num_heads, config.norm_eps,
      inputs.with_metric, dtype);
  return {result[0], inputs.with_metric ? result[1] : at::Tensor()};
}

at::Tensor mlp_branch(const VitConfig& config, const BranchParameters& parameters,
                      const at::Tensor& tokens, const at::Tensor& path_factors,
                      at::ScalarType dtype) {
  const auto& p = parameters;
  return MlpFunction::apply(tokens.to(at::kFloat), p.norm_weight, p.norm_bias, p.first_weight,
                            p.last_weight, optional(p.first_bias), optional(p.last_bias),
                            optional(p.gamma), optional(path_factors),
                            static_cast<int64_t>(kernels::tile_activation(config.activation)),
                            config.mlp == MlpKind::swiglu_packed, config.norm_eps, dtype);
}

}  // namespace vit::training
