#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/environment.h"
#include "tests/vit/block_kinds.h"
#include "tests/vit/native.h"
#include "tests/vit/simd_target.h"

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <ATen/ATen.h>

#include <tome/merge.h>
#include <tome/tome.h>
#include <vit/kernels/product.h>
#include <vit/training/fused_branches.h>
#include <vit/vision_transformer.h>

// Gradients of the fused branches against those of separate operators.

using vit::kernels::Math;

namespace {

vit::ModelConfig config_of(int64_t dim, int64_t heads) {
  vit::ModelConfig config;
  config.vit.set_image_size({40, 64});
  config.vit.patch.set_size({8, 8});
  config.vit.block.dim = dim;
  config.vit.depth = 2;
  config.vit.block.attention.num_heads = heads;
  config.vit.block.mlp.hidden_dim = 3 * dim;
  config.vit.head.num_classes = 7;
  return config;
}

vit::VisionTransformer model_of(const vit::ModelConfig& config) {
  vit::VisionTransformer model(config);
  model->init_weights(1);
  at::NoGradGuard no_grad;
  for (const auto& parameter : model->named_parameters()) {
    // Weights of training scale make all tokens alike; larger ones make decisions clear.
    if (parameter.value().dim() > 1) parameter.value().mul_(4);
    if (parameter.key().ends_with("gamma"))
      parameter.value().uniform_(-1, 1, at::make_generator<at::CPUGeneratorImpl>(4));
    if (parameter.key().ends_with("bias"))
      parameter.value().normal_(0, 0.1, at::make_generator<at::CPUGeneratorImpl>(5));
  }
  return model;
}

at::Tensor pixels(const vit::ModelConfig& config, int64_t batch) {
  return at::randn({batch, 3, config.vit.image_size().height, config.vit.image_size().width},
                   at::make_generator<at::CPUGeneratorImpl>(7));
}

/// What one step computes: the loss, then the gradients of the pixels and of all parameters.
struct Step {
  at::Tensor loss;
  std::vector<std::string> names{"pixels"};
  std::vector<at::Tensor> gradients;
};

Step step(vit::VisionTransformer& model, const at::Tensor& input) {
  const auto leaf = input.detach().clone().requires_grad_(true);
  for (auto& parameter : model->parameters()) parameter.mutable_grad().reset();
  const auto logits = model->forward(leaf).to(at::kDouble);
  // Every class weighs something else, so that nothing cancels out.
  const auto weights = at::arange(1, logits.size(1) + 1, at::kDouble).cos();
  Step step;
  step.loss = (logits.tanh() * weights).sum();
  step.loss.backward();
  step.gradients.push_back(leaf.grad());
  for (const auto& parameter : model->named_parameters()) {
    step.names.push_back(parameter.key());
    step.gradients.push_back(parameter.value().grad());
  }
  return step;
}

Step reference_step(vit::VisionTransformer& model, const at::Tensor& input) {
  const test::KernelChoice choice("reference");
  return step(model, input);
}

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

double relative(const at::Tensor& a, const at::Tensor& b) {
  return test::max_difference(a, b) / largest(b);
}

/// Every gradient, as a share of the largest number in it. Adding the same to all keys changes no
/// attention: the gradient of the bias of their norm is what rounding leaves of zero, and is
/// measured by that of its weight.
void check_equal(const Step& got, const Step& expected, double limit) {
  CHECK(std::abs((got.loss - expected.loss).item<double>()) <
        limit * std::abs(expected.loss.item<double>()));
  REQUIRE(got.names == expected.names);
  for (std::size_t i = 0; i < got.names.size(); ++i) {
    CAPTURE(got.names[i]);
    REQUIRE(got.gradients[i].defined() == expected.gradients[i].defined());
    if (!got.gradients[i].defined()) continue;
    if (got.names[i].ends_with("k_norm.bias"))
      CHECK(test::max_difference(got.gradients[i], expected.gradients[i]) <
            limit * largest(expected.gradients[i - 1]));
    else
      CHECK(relative(got.gradients[i], expected.gradients[i]) < limit);
  }
}

// float32 sums of up to some thousand products, through two blocks.
constexpr double kFloatLimit = 1e-4;

/// Merges every odd patch token into the one before it, whatever they hold.
class PairUp : public vit::TokenReducer {
 public:
  std::optional<vit::ReducerNeeds> needs(const vit::LayerTokens&) const override {
    return vit::ReducerNeeds();
  }
  std::optional<int64_t> tokens_after(const vit::LayerTokens& at) const override {
    return at.tokens - (at.tokens - at.prefix_tokens) / 2;
  }
  void group(const vit::GroupRequest& request, vit::Groups& groups) const override {
    const auto& [layer, depth, tokens, prefix] = request.at;
    groups.rows = groups.count = 0;
    for (int64_t i = 0; i < tokens; ++i) {
      if (i < prefix || (i - prefix) % 2 == 0) {
        groups.keep[groups.rows++] = i;
      } else {
        groups.removed[groups.count] = i;
        groups.into[groups.count++] = groups.rows - 1;
      }
    }
  }
  bool proportional_attention() const override { return true; }
  bool proportional_pooling() const override { return true; }
  bool per_sample() const override { return true; }
};

/// The same with sizes that have a gradient, each token's its own: over all tokens, as nearly as
/// their sizes are equal, it comes to nothing.
class LearnedSizes : public PairUp {
 public:
  vit::BatchGroups group_batch(const vit::BatchRequest& request) const override {
    auto groups = PairUp::group_batch(request);
    const auto sizes =
        request.sizes.defined() ? request.sizes : at::ones({request.batch, request.at.tokens});
    const auto sums = tome::merge(sizes.unsqueeze(-1), {groups.keep, groups.removed, groups.into},
                                  tome::Reduction::sum);
    groups.size_rule = vit::SizeRule::given;
    groups.sizes = sums.squeeze(-1).pow(exponents.slice(0, 0, sums.size(1)));
    return groups;
  }
  at::Tensor exponents = at::ones({kMostTokens}).requires_grad_(true);

 private:
  static constexpr int64_t kMostTokens = 41;
};

std::optional<at::ScalarType> dtype_of(vit::VisionTransformer& model) {
  const auto& block = model->config().block;
  const auto lowered = vit::kernels::lower(block);
  if (!lowered) return std::nullopt;
  // Frozen blocks pass gradients on to what is before them.
  const auto parameters = model->parameters();
  const bool trains =
      std::ranges::any_of(parameters, [](const at::Tensor& p) { return p.requires_grad(); });
  const auto tokens = at::zeros({1, 2, block.dim}).requires_grad_(trains);
  const auto first = model->named_modules()["blocks.0"]->as<vit::BlockImpl>();
  return vit::training::fused_dtype(*lowered, tokens, first->weights());
}

}  // namespace

TEST_CASE("fused branches have the gradients of separate operators") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const int threads = GENERATE(1, 3);
  const int64_t batch = GENERATE(1, 3);
  const int64_t r = GENERATE(0, 5);
  const auto [dim, heads] = GENERATE(table<int64_t, int64_t>({{48, 3}, {64, 1}, {160, 2}}));
  CAPTURE(threads, batch, r, dim, heads);
  const test::ThreadCount thread_count(threads);
  const auto config = config_of(dim, heads);
  auto model = model_of(config);
  CHECK(dtype_of(model) == at::kFloat);
  tome::apply(model, {.r = r});
  const auto input = pixels(config, batch);
  check_equal(step(model, input), reference_step(model, input), kFloatLimit);
}

TEST_CASE("fused branches know many kinds of blocks, the others run as separate operators") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  auto config = config_of(48, 3);
  auto kinds = test::inner_kinds();
  const std::vector<std::string> more{"plain",     "qk norm",   "layer scale", "swiglu",
                                      "tanh",      "quick",     "no qkv bias", "no k bias",
                                      "registers", "no prefix", "many tokens", "odd width"};
  for (const auto& others : {test::position_kinds(), more})
    kinds.insert(kinds.end(), others.begin(), others.end());
  const std::string kind = GENERATE_COPY(from_range(kinds));
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  CAPTURE(kind, target);
  test::set_block_kind(config.vit, kind);
  if (kind == "many tokens") config.vit.set_image_size({128, 136});
  if (kind == "odd width") config.vit.block.mlp.hidden_dim = 100;
  auto model = model_of(config);
  CHECK(dtype_of(model).has_value() == (!kind.starts_with("relative bias") && kind != "odd width"));
  const bool prop_attn = GENERATE(true, false);
  tome::apply(model, {.r = tome::Schedule(std::vector<int64_t>{5, 7}), .prop_attn = prop_attn});
  const auto input = pixels(config, 2);
  check_equal(step(model, input), reference_step(model, input), kFloatLimit);
}

TEST_CASE("gradients of fused branches are slopes of the loss") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto config = config_of(32, 2);
  auto model = model_of(config);
  const auto input = pixels(config, 2);
  const auto got = step(model, input);
  // The loss in double precision, a little forwards and backwards along each gradient.
  const auto loss_at = [&](std::size_t index, double distance) {
    at::NoGradGuard no_grad;
    auto moved = model_of(config);
    moved->to(at::kDouble);
    auto x = input.to(at::kDouble);
    const auto direction = got.gradients[index].to(at::kDouble);
    if (index == 0)
      x += direction * distance;
    else
      moved->parameters()[index - 1].add_(direction, distance);
    const auto logits = moved->forward(x);
    return (logits.tanh() * at::arange(1, 8, at::kDouble).cos()).sum().item<double>();
  };
  for (std::size_t i = 0; i < got.names.size(); ++i) {
    CAPTURE(got.names[i]);
    const double square = got.gradients[i].to(at::kDouble).square().sum().item<double>();
    const double distance = 1e-4 / std::sqrt(square);
    const double slope = (loss_at(i, distance) - loss_at(i, -distance)) / (2 * distance);
    CHECK(slope == Approx(square).epsilon(1e-3));
  }
}

TEST_CASE("fused branches under autocast are no worse than separate operators") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const std::string kind =
      GENERATE(as<std::string>{}, "plain", "layer scale", "swiglu", "RMS norms", "inner RMS norms",
               "gated MLP norm", "grouped queries", "rotary halves", "merging", "rotary merging");
  const auto target = GENERATE(from_range(test::SimdTarget::all()));
  const test::SimdTarget simd_target(target);
  CAPTURE(kind, target);
  auto config = config_of(128, 2);
  test::set_block_kind(config.vit, kind);
  auto model = model_of(config);
  // Token Merging itself would decide otherwise for each way of rounding.
  if (kind.ends_with("merging")) model->set_reducer(std::make_shared<PairUp>());
  const auto input = pixels(config, 4);
  const auto exact = reference_step(model, input);
  const test::Autocast autocast(at::kBFloat16);
  const auto plain = reference_step(model, input);
  CHECK(dtype_of(model) == (vit::kernels::is_native(Math::bf16) ? at::kBFloat16 : at::kFloat));
  const auto got = step(model, input);
  double got_error = 0, plain_error = 0;
  for (std::size_t i = 0; i < exact.gradients.size(); ++i) {
    CAPTURE(exact.names[i]);
    const auto error = [&](const Step& step) {
      const auto difference = (step.gradients[i] - exact.gradients[i]).norm().item<double>();
      return difference / exact.gradients[i].norm().item<double>();
    };
    CHECK(error(got) < 0.05);
    got_error += error(got);
    plain_error += error(plain);
    CHECK(got.gradients[i].scalar_type() == at::kFloat);
  }
  // Both round what they multiply to eight bits; single gradients may be luckier in one.
  CHECK(got_error < 1.1 * plain_error);
  SKIP_UNLESS_NATIVE(Math::bf16);  // what ran was in float32
}

TEST_CASE("fused branches drop the paths that separate operators drop") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  auto config = config_of(48, 3);
  config.vit.block.layer_scale = true;
  auto model = model_of(config);
  model->set_drop_path(0.5);
  CHECK(dtype_of(model) == at::kFloat);
  const auto input = pixels(config, 6);
  at::manual_seed(11);
  const auto expected = reference_step(model, input);
  at::manual_seed(11);
  check_equal(step(model, input), expected, kFloatLimit);
}

TEST_CASE("frozen parameters get no gradients, the others the same ones") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  auto config = config_of(48, 3);
  config.vit.block.layer_scale = true;
  auto model = model_of(config);
  const std::string frozen = GENERATE(as<std::string>{}, "qkv.weight", "proj", "fc1", "fc2.weight",
                                      "gamma", "norm", "blocks.0", "blocks");
  CAPTURE(frozen);
  for (const auto& parameter : model->named_parameters())
    parameter.value().requires_grad_(parameter.key().find(frozen) == std::string::npos);
  CHECK(dtype_of(model) == at::kFloat);
  const auto input = pixels(config, 2);
  check_equal(step(model, input), reference_step(model, input), kFloatLimit);
}

TEST_CASE("rotary frequencies that are frozen leave the rest its gradients") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  auto config = config_of(48, 3);
  test::set_block_kind(
      config.vit, GENERATE(as<std::string>{}, "rotary learned", "rotary learned, grouped queries"));
  auto model = model_of(config);
  for (const auto& parameter : model->named_parameters())
    parameter.value().requires_grad_(!parameter.key().ends_with("freqs"));
  tome::apply(model, {.r = 6});
  const auto input = pixels(config, 3);
  check_equal(step(model, input), reference_step(model, input), kFloatLimit);
}

TEST_CASE("a bias that is not there has no gradient") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  auto config = config_of(48, 3);
  test::set_block_kind(config.vit, "rotary");  // where adding to all keys is not without effect
  const std::string missing = GENERATE(as<std::string>{}, "q", "k", "v");
  auto& attention = config.vit.block.attention;
  (missing == "q"   ? attention.q_bias
   : missing == "k" ? attention.k_bias
                    : attention.v_bias) = false;
  auto model = model_of(config);
  CHECK(dtype_of(model) == at::kFloat);
  const auto input = pixels(config, 2);
  for (const auto& taken : {step(model, input), reference_step(model, input)}) {
    const auto at = std::ranges::find(taken.names, "blocks.1.attn.qkv.bias") - taken.names.begin();
    const auto parts = taken.gradients[static_cast<std::size_t>(at)].chunk(3);
    for (std::size_t i = 0; i < 3; ++i) {
      CAPTURE(missing, i);
      CHECK((largest(parts[i]) == 0) == (i == std::string("qkv").find(missing)));
    }
  }
}

TEST_CASE("merged tokens are rotated by where they are, with the gradients of separate operators") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  auto config = config_of(48, 3);
  test::set_block_kind(config.vit, GENERATE(as<std::string>{}, "rotary", "rotary halves",
                                            "rotary, qk norm", "rotary, grouped queries"));
  auto model = model_of(config);
  CHECK(dtype_of(model) == at::kFloat);
  const auto rule = GENERATE(tome::RotaryRule::mean, tome::RotaryRule::keep,
                             tome::RotaryRule::mean_of_angles, tome::RotaryRule::rotated_metric);
  CAPTURE(static_cast<int>(rule));
  tome::apply(model, {.r = 6, .rotary = rule});
  const auto input = pixels(config, 3);
  check_equal(step(model, input), reference_step(model, input), kFloatLimit);
}

TEST_CASE("sizes may have gradients") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto config = config_of(48, 3);
  auto model = model_of(config);
  const auto input = pixels(config, 2);
  const auto gradient = [&](const auto& run) {
    const auto reducer = std::make_shared<LearnedSizes>();
    model->set_reducer(reducer);
    run(model, input);
    return reducer->exponents.grad();
  };
  CHECK(dtype_of(model) == at::kFloat);
  const auto expected = gradient(reference_step);
  CHECK(largest(expected) > 1e-3);
  CHECK(relative(gradient(step), expected) < kFloatLimit);
}

TEST_CASE("fused branches have no second derivatives and say so") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto config = config_of(48, 3);
  auto model = model_of(config);
  const auto input = pixels(config, 1).requires_grad_(true);
  const auto loss = model->forward(input).square().sum();
  CHECK_THROWS_WITH(loss.backward({}, /*retain_graph=*/true, /*create_graph=*/true),
                    Catch::ContainsSubstring("VITOME_KERNELS=reference"));
}

TEST_CASE("gradients add up over backward passes") {
  SKIP_UNLESS_NATIVE(Math::fp32);
  const auto config = config_of(48, 3);
  auto model = model_of(config);
  const auto input = pixels(config, 2);
  const auto once = step(model, input);
  std::vector<at::Tensor> before;
  for (const auto& gradient : once.gradients) before.push_back(gradient.clone());
  const auto logits = model->forward(input).to(at::kDouble);
  (logits.tanh() * at::arange(1, 8, at::kDouble).cos()).sum().backward();
  const auto parameters = model->parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i)
    CHECK(relative(parameters[i].grad(), 2 * before[i + 1]) < 1e-6);
}
