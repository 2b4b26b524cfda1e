#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vit/kernels/float_data.h>
#include <vit/training/attention_function.h>
#include <vit/training/attention_pass.h>
#include <vit/training/rotation_tables.h>

namespace vit::training {
namespace {

using kernels::float_data;
using simd::Bf16;

/// What is saved behind the arguments.
enum Kept : std::size_t { kHeads, kUnnormed, kAttended, kKept };

template <typename T>
T* saved_data(const at::Tensor& x) {
  return x.defined() ? static_cast<T*>(x.mutable_data_ptr()) : nullptr;
}

template <typename T>
SavedAttention<T> saved_attention(const at::Tensor* kept) {
  return {saved_data<T>(kept[kHeads]), saved_data<T>(kept[kUnnormed]),
          saved_data<T>(kept[kAttended])};
}

/// `table` as RotationTables has it.
RotationData rotation(const at::Tensor& table, const AttentionSettings& settings) {
  if (!table.defined()) return {};
  const auto step = [&](int64_t axis) { return table.size(axis) == 1 ? 0 : table.stride(axis); };
  return {float_data(table), step(0),         step(1),       table.stride(2),
          table.size(-1),    settings.angles, settings.pairs};
}

/// `table`: that of the rotation, of this pass.
AttentionData describe(const BranchTensors& tensors, const at::Tensor& table,
                       const AttentionSettings& settings) {
  const auto norm = [&](std::size_t weight) {
    return tensors.norm(settings.norm_kind, settings.eps, weight);
  };
  return {tensors.branch(settings.norm_kind, settings.eps),
          settings.heads,
          settings.kv_heads,
          float_data(tensors[kFirstWeight]),
          tensors.bias(kFirstBias),
          float_data(tensors[kLastWeight]),
          tensors.bias(kLastBias),
          float_data(tensors[kKeyBias]),
          norm(kQNormWeight),
          norm(kKNormWeight),
          norm(kInnerNormWeight),
          rotation(table, settings)};
}

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static variable_list forward(AutogradContext* context, at::TensorList list, int64_t mask,
                               const AttentionSettings& settings, bool with_metric,
                               at::ScalarType dtype) {
    const BranchTensors tensors(list.vec(), mask, kAttentionArguments);
    const AttentionData data = describe(tensors, tensors[kRotation], settings);
    const auto& branch = data.branch;
    variable_list kept(kKept);
    kept[kHeads] = at::empty({data.projected(), branch.rows(), data.head_dim()}, dtype);
    if (data.q_norm)
      kept[kUnnormed] = at::empty({data.compared(), branch.rows(), data.head_dim()}, dtype);
    kept[kAttended] = at::empty({branch.rows(), branch.dim}, dtype);
    const auto out = at::empty({branch.samples, branch.tokens, branch.dim}, at::kFloat);
    at::Tensor metric;
    if (with_metric)
      metric = at::empty({branch.samples, branch.tokens, data.head_dim()}, at::kFloat);
    const auto run = [&]<typename T>(T*) {
      attention_forward<T>(data, saved_attention<T>(kept.data()), out.mutable_data_ptr<float>(),
                           with_metric ? metric.mutable_data_ptr<float>() : nullptr);
    };
    dtype == at::kFloat ? run(static_cast<float*>(nullptr)) : run(static_cast<Bf16*>(nullptr));

    auto saved = tensors.saved();
    saved.insert(saved.end(), kept.begin(), kept.end());
    context->save_for_backward(saved);
    auto& own = context->saved_data;
    own["mask"] = mask;
    own["heads"] = settings.heads;
    own["kv_heads"] = settings.kv_heads;
    own["norm_kind"] = static_cast<int64_t>(settings.norm_kind);
    own["eps"] = settings.eps;
    own["pairs"] = static_cast<int64_t>(settings.pairs);
    own["angles"] = settings.angles;
    if (with_metric) context->mark_non_differentiable({metric});
    return with_metric ? variable_list{out, metric} : variable_list{out};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    check_first_derivative();
    auto& own = context->saved_data;
    const auto saved = context->get_saved_variables();
    const BranchTensors tensors(saved, own["mask"].toInt(), kAttentionArguments);
    const at::Tensor* const kept = saved.data() + (saved.size() - kKept);
    const auto gradient = gradients[0].contiguous();
    const at::Tensor& table = tensors[kRotation];
    const auto back = table.defined() ? backward_table(table) : table;
    const AttentionData data =
        describe(tensors, back,
                 {own["heads"].toInt(), own["kv_heads"].toInt(),
                  static_cast<NormKind>(own["norm_kind"].toInt()), own["eps"].toDouble(),
                  static_cast<simd::RotatedPairs>(own["pairs"].toInt()), own["angles"].toInt()});
    const auto run = [&]<typename T>(T*) {
      return attention_backward<T>(data, saved_attention<T>(kept), float_data(gradient),
                                   tensors.needs_gradient(*context, kFirstWeight),
                                   tensors.needs_last(*context));
    };
    const auto result = kept[kHeads].scalar_type() == at::kFloat ? run(static_cast<float*>(nullptr))
                                                                 : run(static_cast<Bf16*>(nullptr));
    constexpr std::size_t kOthers = 4;  // arguments of forward() behind the list
    return tensors.in_order(result, kOthers);
  }
};

}  // namespace

variable_list attention_function(const BranchTensors& tensors, const AttentionSettings& settings,
                                 bool with_metric, at::ScalarType dtype) {
  const auto list = tensors.saved();
  return AttentionFunction::apply(at::TensorList(list), tensors.mask(), settings, with_metric,
                                  dtype);
}

}  // namespace vit::training
