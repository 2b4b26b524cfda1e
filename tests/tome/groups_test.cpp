#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/environment.h"
#include "tests/support/reducer_wrapper.h"
#include "tests/tome/other_reducers.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <string>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <tome/pitome.h>
#include <tome/reducer.h>
#include <tome/threshold.h>
#include <vit/error.h>
#include <vit/flops.h>
#include <vit/vision_transformer.h>

// What a model makes of a reducer's groups: counts that differ between samples, positions, answers
// that do not hold together.

namespace {

constexpr int64_t kRows = 5, kColumns = 8;  // of the grid of patches

vit::ModelConfig config_of(vit::Pooling pooling = vit::Pooling::cls) {
  vit::ModelConfig config;
  config.vit.set_image_size({8 * kRows, 8 * kColumns});
  config.vit.patch.set_size({8, 8});
  config.vit.block.dim = 48;
  config.vit.depth = 3;
  config.vit.block.attention.num_heads = 3;
  config.vit.block.mlp.hidden_dim = 100;
  config.vit.head.num_classes = 7;
  config.vit.head.pooling = pooling;
  return config;
}

vit::VisionTransformer model_of(const vit::ModelConfig& config) {
  vit::VisionTransformer model(config);
  model->init_weights(1);
  model->eval();
  at::NoGradGuard no_grad;
  // Weights of training scale make all tokens alike; larger ones make decisions clear.
  for (auto& parameter : model->parameters())
    if (parameter.dim() > 1) parameter.mul_(4);
  return model;
}

at::Tensor pixels(int64_t batch) {
  return at::randn({batch, 3, 8 * kRows, 8 * kColumns},
                   at::make_generator<at::CPUGeneratorImpl>(7));
}

std::shared_ptr<tome::ThresholdReducer> threshold(double tau, bool shared = false) {
  return std::make_shared<tome::ThresholdReducer>(
      tome::ThresholdOptions{.tau = {tau}, .shared = shared});
}

std::vector<int64_t> counts_of(const vit::ForwardResult& result) {
  const auto counts = result.size.gt(0).sum(1);
  return {counts.const_data_ptr<int64_t>(), counts.const_data_ptr<int64_t>() + counts.numel()};
}

/// What `result` says of one sample, as if it were alone.
vit::ForwardResult alone(const vit::ForwardResult& result, int64_t sample) {
  const int64_t count = counts_of(result)[sample];
  const auto cut = [&](const at::Tensor& x) { return x.slice(0, sample, sample + 1); };
  const auto rows = [&](const at::Tensor& x) { return cut(x).slice(1, 0, count); };
  vit::ForwardResult one;
  one.logits = result.logits.dim() == 3 ? rows(result.logits) : cut(result.logits);
  one.features = rows(result.features);
  one.size = rows(result.size);
  one.source = rows(result.source);
  one.positions = rows(result.positions);
  return one;
}

constexpr double kTolerance = 1e-4;  // float32, summed in another order

void check_equal(const vit::ForwardResult& got, const vit::ForwardResult& expected) {
  CHECK(test::max_difference(got.logits, expected.logits) < kTolerance);
  CHECK(test::max_difference(got.features, expected.features) < kTolerance);
  CHECK(test::same(got.size, expected.size));
  CHECK(test::same(got.source, expected.source));
  CHECK(test::max_difference(got.positions, expected.positions) < 1e-5);
}

const vit::ForwardOptions kEverything{.track_source = true, .track_positions = true};

}  // namespace

TEST_CASE("samples of a batch that merge different numbers of tokens become what they do alone") {
  const auto pooling =
      GENERATE(vit::Pooling::cls, vit::Pooling::avg, vit::Pooling::max, vit::Pooling::avg_max,
               vit::Pooling::cls_avg, vit::Pooling::map, vit::Pooling::none);
  const bool prop_attn = GENERATE(true, false);
  const std::string kernels = GENERATE(as<std::string>{}, "auto", "reference");
  const int threads = GENERATE(1, 2, 3);
  CAPTURE(static_cast<int>(pooling), prop_attn, kernels, threads);
  at::NoGradGuard no_grad;
  const test::KernelChoice choice(kernels.c_str());
  const test::ThreadCount thread_count(threads);
  auto model = model_of(config_of(pooling));
  model->set_reducer(std::make_shared<tome::ThresholdReducer>(
      tome::ThresholdOptions{.tau = {0.5, 0.6, 0.55}, .prop_attn = prop_attn}));
  const auto input = pixels(7);
  const auto result = model->forward_all(input, kEverything);
  const auto counts = counts_of(result);
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  REQUIRE(*least < *most);
  CHECK(*most == result.size.size(1));
  for (int64_t i = 0; i < input.size(0); ++i) {
    CAPTURE(i);
    check_equal(alone(result, i), model->forward_all(input.slice(0, i, i + 1), kEverything));
    CHECK(result.size[i].slice(0, counts[i]).abs().sum().item<float>() == 0);
    CHECK(result.features[i].slice(0, counts[i]).abs().sum().item<float>() == 0);
    CHECK(result.source[i].slice(0, counts[i]).abs().sum().item<float>() == 0);
    CHECK(result.size[i].sum().item<float>() == 1 + kRows * kColumns);
  }
}

TEST_CASE("both paths carry everything alike through every rule") {
  const std::string kind = GENERATE(as<std::string>{}, "tome", "pitome", "threshold", "evit",
                                    "evit fuse", "tofu mlerp", "tofu mean", "diffrate");
  const test::OtherReducer::SizeUse use{false, true};
  std::shared_ptr<const vit::TokenReducer> reducer;
  if (kind == "tome") reducer = std::make_shared<tome::Reducer>(tome::Options{.r = 5});
  if (kind == "pitome") reducer = std::make_shared<tome::PitomeReducer>(tome::PitomeOptions{});
  if (kind == "threshold") reducer = threshold(0.6);
  if (kind.starts_with("evit"))
    reducer =
        std::make_shared<test::Evit>(use, std::vector<double>{1, 0.7, 0.6}, kind == "evit fuse");
  if (kind.starts_with("tofu"))
    reducer = std::make_shared<test::Tofu>(use, 0.8, std::vector<std::string>(3, kind.substr(5)));
  if (kind == "diffrate")
    reducer = std::make_shared<test::DiffRate>(test::OtherReducer::SizeUse{true, true},
                                               std::vector<int64_t>{36, 30, 25},
                                               std::vector<int64_t>{35, 28, 24});
  REQUIRE(reducer);
  CAPTURE(kind);
  at::NoGradGuard no_grad;
  auto model = model_of(config_of(vit::Pooling::avg));
  model->set_reducer(reducer);
  const auto input = pixels(4);
  const auto got = model->forward_all(input, kEverything);
  const test::KernelChoice choice("reference");
  const auto expected = model->forward_all(input, kEverything);
  CHECK(test::max_difference(got.logits, expected.logits) < kTolerance);
  CHECK(test::max_difference(got.features, expected.features) < kTolerance);
  CHECK(test::max_difference(got.size, expected.size) < 1e-5);
  CHECK(test::same(got.source, expected.source));
  CHECK(test::max_difference(got.positions, expected.positions) < 1e-5);
}

TEST_CASE("merged tokens stand at the mean of the patches they stand for") {
  const std::string kernels = GENERATE(as<std::string>{}, "auto", "reference");
  CAPTURE(kernels);
  at::NoGradGuard no_grad;
  const test::KernelChoice choice(kernels.c_str());
  auto model = model_of(config_of());
  std::vector<float> grid{0, 0};  // the class token
  for (int64_t row = 0; row < kRows; ++row)
    for (int64_t column = 0; column < kColumns; ++column) {
      grid.push_back(static_cast<float>(row));
      grid.push_back(static_cast<float>(column));
    }
  const auto start = at::tensor(grid).view({-1, 2});
  CHECK(
      test::same(model->forward_all(pixels(2), kEverything).positions, start.expand({2, -1, -1})));
  CHECK_FALSE(model->forward_all(pixels(2)).positions.defined());
  for (const std::shared_ptr<const vit::TokenReducer>& reducer :
       {std::shared_ptr<const vit::TokenReducer>(
            std::make_shared<tome::Reducer>(tome::Options{.r = 9})),
        std::shared_ptr<const vit::TokenReducer>(threshold(0.6))}) {
    model->set_reducer(reducer);
    const auto result = model->forward_all(pixels(3), kEverything);
    const auto members = result.source.sum(-1, /*keepdim=*/true);
    const auto means = at::matmul(result.source, start) / members.clamp_min(1);
    CHECK(test::max_difference(result.positions, means) < 1e-5);
    CHECK(test::same(result.size, members.squeeze(-1)));
  }
}

TEST_CASE("a shared threshold merges the mean of what the samples would merge") {
  at::NoGradGuard no_grad;
  auto model = model_of(config_of());
  // One layer merges, so that the exact counts say what the shared one has to be.
  const auto merging_once = [](bool shared) {
    return std::make_shared<tome::ThresholdReducer>(
        tome::ThresholdOptions{.tau = {0.5, 1.0}, .shared = shared});
  };
  model->set_reducer(merging_once(false));
  const auto counts = counts_of(model->forward_all(pixels(7)));
  model->set_reducer(merging_once(true));
  const int64_t merged =
      7 * (1 + kRows * kColumns) - std::accumulate(counts.begin(), counts.end(), int64_t{0});
  CHECK(counts_of(model->forward_all(pixels(7))) ==
        std::vector<int64_t>(7, 1 + kRows * kColumns - merged / 7));
}

TEST_CASE("gradients of a batch with different counts are those of its samples") {
  const std::string kernels = GENERATE(as<std::string>{}, "auto", "reference");
  CAPTURE(kernels);
  const test::KernelChoice choice(kernels.c_str());
  auto model = model_of(config_of(vit::Pooling::avg));
  model->set_reducer(threshold(0.6));
  const auto input = pixels(4);
  const auto gradients = [&](const std::vector<at::Tensor>& batches) {
    model->zero_grad();
    for (const auto& batch : batches) model->forward(batch).square().sum().backward();
    std::vector<at::Tensor> result;
    for (const auto& parameter : model->parameters()) result.push_back(parameter.grad().clone());
    return result;
  };
  const auto got = gradients({input}), expected = gradients(input.split(1));
  for (std::size_t i = 0; i < got.size(); ++i)
    CHECK(test::max_difference(got[i], expected[i]) <
          1e-4 * std::max(1.0, expected[i].abs().max().item<double>()));
}

namespace {

/// Token merging whose answers are spoilt.
class Spoilt : public test::ReducerWrapper {
 public:
  using Spoil = std::function<void(vit::Groups&)>;
  explicit Spoilt(Spoil spoil)
      : ReducerWrapper(std::make_shared<tome::Reducer>(tome::Options{.r = 4})),
        spoil_(std::move(spoil)) {}
  void group(const vit::GroupRequest& request, vit::Groups& groups) const override {
    inner().group(request, groups);
    if (request.sample == 1) spoil_(groups);
  }
  vit::BatchGroups group_batch(const vit::BatchRequest& request) const override {
    return TokenReducer::group_batch(request);
  }

 private:
  Spoil spoil_;
};

}  // namespace

TEST_CASE("answers that do not hold together are errors that say what is wrong") {
  using vit::Groups;
  const auto [spoil, message] = GENERATE(table<Spoilt::Spoil, std::string>({
      {[](Groups& g) { g.rows = -1; }, "rows is -1, expected 1 to 41"},
      {[](Groups& g) { g.rows = 42; }, "rows is 42, expected 1 to 41"},
      {[](Groups& g) { --g.rows; }, "rows is 36, but tokens_after() says 37"},
      {[](Groups& g) { g.count = 3; }, "count is 3, expected 4: 37 tokens have a row of their own"},
      {[](Groups& g) { g.count = -1; }, "count is -1, expected 4"},
      {[](Groups& g) { g.keep[5] = 41; }, "keep[5] is 41, expected -1 to 40"},
      {[](Groups& g) { g.keep[5] = -2; }, "keep[5] is -2, expected -1 to 40"},
      {[](Groups& g) { std::swap(g.keep[0], g.keep[1]); }, "expected the prefix token 0"},
      {[](Groups& g) { g.keep[5] = g.keep[6]; }, "is named twice"},
      {[](Groups& g) { g.removed[1] = g.removed[0]; }, "is named twice"},
      {[](Groups& g) { g.removed[1] = 1000000; }, "removed[1] is 1000000, expected 0 to 40"},
      {[](Groups& g) { g.removed[1] = -1; }, "removed[1] is -1, expected 0 to 40"},
      {[](Groups& g) { g.into[2] = 37; }, "into[2] is 37, expected -1 to 36"},
      {[](Groups& g) { g.into[2] = 0; }, "into[2] is 0, and nothing goes into a prefix token"},
      {[](Groups& g) {
         g.removed[g.count++] = g.keep[5];
         g.into[g.count - 1] = 6;
         g.keep[5] = -1;
       },
       "the new row 5 has no tokens"},
      {[](Groups& g) {
         g.size_rule = vit::SizeRule::given;
         std::fill_n(g.sizes, g.rows, 1.0f);
         g.sizes[3] = std::nanf("");
       },
       "sizes[3] is nan, expected a number above 0"},
  }));
  const std::string kernels = GENERATE(as<std::string>{}, "auto", "reference");
  const int threads = GENERATE(1, 2);
  CAPTURE(message, kernels, threads);
  at::NoGradGuard no_grad;
  const test::KernelChoice choice(kernels.c_str());
  const test::ThreadCount thread_count(threads);
  auto model = model_of(config_of());
  model->set_reducer(std::make_shared<Spoilt>(spoil));
  CHECK_THROWS_WITH(model->forward(pixels(3)),
                    Catch::ContainsSubstring(message) && Catch::ContainsSubstring("layer 0 of 3"));
  CHECK_THROWS_AS(model->forward(pixels(3)), vit::Error);
  model->set_reducer(std::make_shared<Spoilt>([](Groups&) {}));
  CHECK(model->forward(pixels(3)).isfinite().all().item<bool>());
}

namespace {

/// Keeps the class attention of each sample in the first layer.
class AttentionSpy : public test::ReducerWrapper {
 public:
  using ReducerWrapper::ReducerWrapper;
  void group(const vit::GroupRequest& request, vit::Groups& groups) const override {
    if (request.at.layer == 0)
      seen[request.sample] =
          std::vector<float>(request.class_attention, request.class_attention + request.at.tokens);
    inner().group(request, groups);
  }
  vit::BatchGroups group_batch(const vit::BatchRequest& request) const override {
    return TokenReducer::group_batch(request);
  }
  mutable std::vector<std::vector<float>> seen = std::vector<std::vector<float>>(2);
};

}  // namespace

TEST_CASE("fused blocks in bfloat16 see the class attention of float32 but for its rounding") {
  at::NoGradGuard no_grad;
  const auto attention = [](at::ScalarType dtype, const char* kernels) {
    const test::KernelChoice choice(kernels);
    const test::ThreadCount one_thread(1);
    auto model = model_of(config_of());
    model->to(dtype);
    const auto spy = std::make_shared<AttentionSpy>(std::make_shared<test::Evit>(
        test::OtherReducer::SizeUse{false, false}, std::vector<double>(3, 0.7), false));
    model->set_reducer(spy);
    model->forward(pixels(2).to(dtype));
    return at::stack({at::tensor(spy->seen[0]), at::tensor(spy->seen[1])});
  };
  const auto exact = attention(at::kFloat, "reference");
  const auto half = attention(at::kBFloat16, "auto");
  CHECK(test::max_difference(half.sum(1), at::ones({2})) < 1e-5);
  // Eight bits of mantissa in queries and keys.
  CHECK(test::max_difference(half, exact) < 0.05 * exact.max().item<double>());
  CHECK(test::max_difference(half, exact) > 0);
}

TEST_CASE("class attention is an error in a model without a class token") {
  const std::string kernels = GENERATE(as<std::string>{}, "auto", "reference");
  const test::KernelChoice choice(kernels.c_str());
  at::NoGradGuard no_grad;
  auto config = config_of(vit::Pooling::avg);
  config.vit.prefix.cls_tokens = 0;
  auto model = model_of(config);
  model->set_reducer(std::make_shared<test::Evit>(test::OtherReducer::SizeUse{false, false},
                                                  std::vector<double>(3, 0.5), false));
  CHECK_THROWS_WITH(model->forward(pixels(1)),
                    Catch::ContainsSubstring("needs the attention from the class token"));
}

TEST_CASE("an empty batch leaves a reducer without a known count") {
  const std::string kernels = GENERATE(as<std::string>{}, "auto", "reference");
  const test::KernelChoice choice(kernels.c_str());
  at::NoGradGuard no_grad;
  auto model = model_of(config_of());
  model->set_reducer(threshold(0.6, GENERATE(false, true)));
  CHECK(model->forward(pixels(0)).sizes() == at::IntArrayRef({0, 7}));
}

TEST_CASE("tokens that only a run tells count as staying") {
  const auto config = config_of().vit;
  const tome::ThresholdReducer exact({.tau = {0.6}});
  const tome::Reducer r5({.r = 5});
  CHECK(vit::tokens_per_layer(config, &exact) == std::vector<int64_t>(3, 41));
  CHECK(vit::gflops(config, &exact) == vit::gflops(config, nullptr));
  CHECK_FALSE(vit::knows_tokens(config, &exact));
  CHECK(vit::knows_tokens(config, &r5));
  CHECK(vit::knows_tokens(config, nullptr));
}
