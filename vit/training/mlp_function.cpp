#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vit/kernels/float_data.h>
#include <vit/training/mlp_function.h>
#include <vit/training/mlp_pass.h>

namespace vit::training {
namespace {

using kernels::float_data;
using simd::Bf16;

MlpData describe(const BranchTensors& tensors, const MlpSettings& settings) {
  return {tensors.branch(settings.norm_kind, settings.eps),
          tensors[kLastWeight].size(1),
          settings.gated,
          settings.activation,
          float_data(tensors[kFirstWeight]),
          tensors.bias(kFirstBias),
          float_data(tensors[kLastWeight]),
          tensors.bias(kLastBias),
          tensors.norm(settings.norm_kind, settings.eps, kInnerNormWeight)};
}

class MlpFunction : public torch::autograd::Function<MlpFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, at::TensorList list, int64_t mask,
                            const MlpSettings& settings, at::ScalarType dtype) {
    const BranchTensors tensors(list.vec(), mask, kBranchArguments);
    const MlpData data = describe(tensors, settings);
    const auto hidden = at::empty({data.branch.rows(), data.fc1_columns()}, dtype);
    const auto out = at::empty(tensors[kX].sizes(), at::kFloat);
    const auto run = [&]<typename T>(T*) {
      mlp_forward(data, static_cast<T*>(hidden.mutable_data_ptr()), out.mutable_data_ptr<float>());
    };
    dtype == at::kFloat ? run(static_cast<float*>(nullptr)) : run(static_cast<Bf16*>(nullptr));

    auto saved = tensors.saved();
    saved.push_back(hidden);
    context->save_for_backward(saved);
    auto& own = context->saved_data;
    own["mask"] = mask;
    own["gated"] = settings.gated;
    own["activation"] = static_cast<int64_t>(settings.activation);
    own["norm_kind"] = static_cast<int64_t>(settings.norm_kind);
    own["eps"] = settings.eps;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    check_first_derivative();
    auto& own = context->saved_data;
    const auto saved = context->get_saved_variables();
    const BranchTensors tensors(saved, own["mask"].toInt(), kBranchArguments);
    const at::Tensor& hidden = saved.back();
    const auto gradient = gradients[0].contiguous();
    const MlpData data =
        describe(tensors, {own["gated"].toBool(),
                           static_cast<simd::TileActivation>(own["activation"].toInt()),
                           static_cast<NormKind>(own["norm_kind"].toInt()), own["eps"].toDouble()});
    const auto run = [&]<typename T>(T*) {
      return mlp_backward<T>(data, static_cast<const T*>(hidden.const_data_ptr()),
                             float_data(gradient), tensors.needs_gradient(*context, kFirstWeight),
                             tensors.needs_last(*context));
    };
    const auto result = hidden.scalar_type() == at::kFloat ? run(static_cast<float*>(nullptr))
                                                           : run(static_cast<Bf16*>(nullptr));
    constexpr std::size_t kOthers = 3;  // arguments of forward() behind the list
    return tensors.in_order(result, kOthers);
  }
};

}  // namespace

at::Tensor mlp_function(const BranchTensors& tensors, const MlpSettings& settings,
                        at::ScalarType dtype) {
  const auto list = tensors.saved();
  return MlpFunction::apply(at::TensorList(list), tensors.mask(), settings, dtype);
}

}  // namespace vit::training
