// Models that take pictures of any size: what becomes of one among others of other sizes is what
// becomes of it alone, and padded batches of the transformers library give what it computes
// (tests/data/encoders, transformers 5.23).
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/fused_runs.h"
#include "tests/support/reducer_wrapper.h"
#include "tests/support/tiny_config.h"
#include "tests/vit/golden_case.h"

#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <tome/reducer.h>
#include <tome/reducer_spec.h>
#include <tome/tome.h>
#include <vit/error.h>
#include <vit/inference_model.h>
#include <vit/load.h>
#include <vit/weights/config_json.h>
#include <vit/weights/files/safetensors.h>
#include <vit/weights/layouts/timm_writer.h>

namespace {

constexpr int64_t kPatch = 4;

/// Another order of the same sums.
constexpr double kRounding = 1e-5;

/// Keeps the fused kernels out.
class Separate : public test::ReducerWrapper {
 public:
  using ReducerWrapper::ReducerWrapper;
  bool per_sample() const override { return false; }
  vit::PositionRule position_rule() const override { return inner().position_rule(); }
};

/// "table" (attention pooling), "average", "maximum", "table with prefix" or "rotary".
vit::ModelConfig config_of(const std::string& kind) {
  auto config = test::tiny_config({5 * kPatch, 5 * kPatch});
  auto& c = config.vit;
  c.patch.set_size({kPatch, kPatch});
  c.depth = 3;
  if (kind == "rotary") {
    c.positions.kind = vit::PositionKind::none;
    c.positions.covers_prefix = false;
    c.block.attention.rotary.emplace();
    c.head.pooling = vit::Pooling::cls;
  } else {
    c.positions.table = {5, 5};
    c.positions.resampling = vit::Resampling::bilinear_antialias;
    c.positions.covers_prefix = kind == "table with prefix";
    c.pre_norm = kind == "table with prefix";
  }
  if (kind == "table with prefix") {
    c.prefix.reg_tokens = 2;
    c.head.pooling = vit::Pooling::cls;
  } else if (kind != "rotary") {
    c.prefix.cls_tokens = 0;
    c.head.pooling = kind == "average"   ? vit::Pooling::avg
                     : kind == "maximum" ? vit::Pooling::max
                                         : vit::Pooling::map;
  }
  return config;
}

vit::VisionTransformer model_of(const std::string& kind) {
  vit::VisionTransformer model(config_of(kind));
  model->init_weights(3);
  model->eval();
  return model;
}

at::Tensor picture(int64_t rows, int64_t cols, uint64_t seed) {
  return at::randn({3, rows * kPatch, cols * kPatch},
                   at::make_generator<at::CPUGeneratorImpl>(seed));
}

std::vector<at::Tensor> pictures_of_many_sizes() {
  return {picture(4, 7, 1), picture(8, 3, 2), picture(1, 1, 3), picture(5, 5, 4),
          picture(4, 7, 5), picture(1, 9, 6), picture(6, 6, 7), picture(2, 2, 8)};
}

void check_same(const vit::ForwardResult& got, const vit::ForwardResult& expected) {
  const auto close = [](const char* name, const at::Tensor& a, const at::Tensor& b) {
    CAPTURE(name);
    REQUIRE(a.defined() == b.defined());
    if (a.defined()) CHECK(test::max_difference(a, b) < kRounding);
  };
  close("logits", got.logits, expected.logits);
  close("features", got.features, expected.features);
  close("pooled", got.pooled, expected.pooled);
  close("positions", got.positions, expected.positions);
  close("coords", got.coords, expected.coords);
  CHECK(test::same(got.size, expected.size));
  CHECK(test::same(got.source, expected.source));
}

template <typename Model>
void check_alone_and_together(const Model& model) {
  const vit::ForwardOptions tracked{.track_source = true, .track_positions = true};
  const auto pictures = pictures_of_many_sizes();
  const auto together = model.forward_all(pictures, tracked);
  const auto logits = model.forward(pictures);
  REQUIRE(together.size() == pictures.size());
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    CAPTURE(i);
    const auto alone = model.forward_all(pictures[i].unsqueeze(0), tracked);
    check_same(together[i], alone);
    CHECK(test::max_difference(logits[static_cast<int64_t>(i)], alone.logits[0]) < kRounding);
  }
}

/// What Siglip2ImageProcessor makes of pictures, L patches long.
vit::PaddedPictures padded(const std::vector<at::Tensor>& pictures, int64_t length) {
  std::vector<at::Tensor> values, masks, shapes;
  for (const auto& x : pictures) {
    const int64_t rows = x.size(1) / kPatch, cols = x.size(2) / kPatch, count = rows * cols;
    const auto patches = x.view({3, rows, kPatch, cols, kPatch}).permute({1, 3, 2, 4, 0});
    const std::vector<int64_t> room{0, 0, 0, length - count};
    values.push_back(at::constant_pad_nd(patches.reshape({count, -1}), room, 9.0));
    masks.push_back(at::arange(length).lt(count).to(at::kLong));
    shapes.push_back(at::tensor({rows, cols}, at::kLong));
  }
  return {at::stack(values), at::stack(masks), at::stack(shapes)};
}

}  // namespace

TEST_CASE("Padded batches of pictures give what the transformers library gives") {
  const at::NoGradGuard no_grad;
  const std::string name = GENERATE("hf_siglip2_naflex", "hf_siglip2_naflex_cls");
  const auto folder = test::data("encoders") / name;
  auto model = vit::load(folder);
  const auto io = vit::read_safetensors(folder / "io.safetensors");
  const vit::PaddedPictures batch{io.at("padded/pixel_values"),
                                  io.at("padded/pixel_attention_mask"),
                                  io.at("padded/spatial_shapes")};
  const std::vector<at::Tensor> pictures{io.at("padded/input.0")[0], io.at("padded/input.1")[0]};
  const auto check = [&](const auto& tested) {
    const auto result = tested.forward_all(batch);
    CHECK(test::max_difference(result.logits, io.at("padded/logits")) < test::kGoldenTolerance);
    const auto alone = tested.forward_all(pictures);
    for (int64_t i = 0; i < 2; ++i) {
      const int64_t count = batch.pixel_attention_mask[i].sum().template item<int64_t>();
      CHECK(result.size[i].sum().template item<int64_t>() == count);
      const auto expected = io.at("padded/features")[i].slice(0, 0, count);
      CHECK(test::max_difference(result.features[i].slice(0, 0, count), expected) <
            test::kGoldenTolerance);
      const auto& own = alone[static_cast<std::size_t>(i)];
      CHECK(test::max_difference(own.features[0], expected) < test::kGoldenTolerance);
      CHECK(test::max_difference(own.logits[0], io.at("padded/logits")[i]) <
            test::kGoldenTolerance);
    }
  };
  const test::FusedRuns runs;
  check(*model);
  check(vit::InferenceModel(model));
  CHECK(runs.count() == (test::has_fused_blocks() ? 4 : 0));
  model->set_reducer(
      std::make_shared<Separate>(std::make_shared<tome::Reducer>(tome::Options{.r = 0})));
  const test::FusedRuns separate;
  check(*model);
  CHECK(separate.count() == 0);
}

TEST_CASE("What becomes of a picture among others is what becomes of it alone") {
  const at::NoGradGuard no_grad;
  const std::string kind = GENERATE("table", "average", "maximum", "table with prefix", "rotary");
  const std::string spec =
      GENERATE("none", "r=3", "r=3, no prop-attn", "keep=0.7", "decreasing", "threshold", "pitome");
  CAPTURE(kind, spec);
  auto model = model_of(kind);
  std::shared_ptr<const vit::TokenReducer> reducer;
  if (spec == "threshold") reducer = tome::parse_reducer("threshold:tau=0.2", {});
  if (spec == "pitome") reducer = tome::parse_reducer("pitome:ratio=0.8", {});
  if (spec == "r=3") reducer = tome::make_reducer({.r = 3});
  if (spec == "r=3, no prop-attn") reducer = tome::make_reducer({.r = 3, .prop_attn = false});
  if (spec == "keep=0.7") reducer = tome::make_reducer({.r = tome::Schedule::keep_ratio(0.7)});
  if (spec == "decreasing") reducer = tome::make_reducer({.r = tome::Schedule::linear(4, -1.0)});

  model->set_reducer(reducer);
  const test::FusedRuns runs;
  check_alone_and_together(*model);
  check_alone_and_together(vit::InferenceModel(model));
  CHECK((runs.count() > 0) == test::has_fused_blocks());

  const auto none = std::make_shared<tome::Reducer>(tome::Options{.r = 0});
  model->set_reducer(std::make_shared<Separate>(reducer ? reducer : none));
  const test::FusedRuns separate;
  check_alone_and_together(*model);
  CHECK(separate.count() == 0);
}

TEST_CASE("Fused and separate operators agree on pictures of different sizes, on any threads") {
  const at::NoGradGuard no_grad;
  auto model = model_of("table with prefix");
  const auto reducer = tome::make_reducer({.r = 4});
  const auto pictures = pictures_of_many_sizes();
  model->set_reducer(std::make_shared<Separate>(reducer));
  const auto expected = model->forward_all(pictures);
  model->set_reducer(reducer);
  const int threads = at::get_num_threads();
  for (const int count : {1, 2, 3, 8}) {
    CAPTURE(count);
    at::set_num_threads(count);
    const auto got = model->forward_all(pictures);
    for (std::size_t i = 0; i < pictures.size(); ++i) check_same(got[i], expected[i]);
  }
  at::set_num_threads(threads);
}

TEST_CASE("A padded batch is its pictures, whatever is in the padding") {
  const at::NoGradGuard no_grad;
  const std::string kind = GENERATE("table", "table with prefix", "rotary");
  CAPTURE(kind);
  auto model = model_of(kind);
  tome::apply(model, {.r = 2});
  const vit::ForwardOptions tracked{.track_source = true, .track_positions = true};
  const auto pictures = pictures_of_many_sizes();
  const auto result = model->forward_all(padded(pictures, 40), tracked);
  const auto alone = model->forward_all(pictures, tracked);
  REQUIRE(result.size.size(0) == 8);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    CAPTURE(i);
    const auto at = static_cast<int64_t>(i);
    const int64_t tokens = alone[i].size.size(1);
    CHECK(test::max_difference(result.logits[at], alone[i].logits[0]) < kRounding);
    CHECK(test::max_difference(result.features[at].slice(0, 0, tokens), alone[i].features[0]) <
          kRounding);
    CHECK(result.features[at].slice(0, tokens).abs().sum().item<double>() == 0);
    CHECK(test::same(result.size[at].slice(0, 0, tokens), alone[i].size[0]));
    CHECK(result.size[at].slice(0, tokens).sum().item<double>() == 0);
    const auto& source = alone[i].source;
    CHECK(test::same(result.source[at].slice(0, 0, tokens).slice(1, 0, source.size(2)), source[0]));
    CHECK(test::same(result.positions[at].slice(0, 0, tokens), alone[i].positions[0]));
  }
}

TEST_CASE("A batch of any size is computed as by the model of that size") {
  const at::NoGradGuard no_grad;
  const std::string kind = GENERATE("table", "table with prefix", "rotary");
  CAPTURE(kind);
  auto model = model_of(kind);
  const auto pixels = at::stack({picture(3, 8, 1), picture(3, 8, 2)});
  const auto any = model->forward_all(pixels);
  model->set_image_size({3 * kPatch, 8 * kPatch});
  CHECK(test::same(model->forward_all(pixels).features, any.features));
  CHECK(model->config().num_patches() == 24);
}

TEST_CASE("Gradients of pictures of different sizes are those of each alone") {
  const std::string kind = GENERATE("table", "table with prefix", "rotary");
  CAPTURE(kind);
  auto model = model_of(kind);
  tome::apply(model, {.r = 2});
  const auto pictures = pictures_of_many_sizes();
  const auto gradients = [&](const at::Tensor& loss) {
    loss.backward();
    std::vector<at::Tensor> result;
    for (auto& parameter : model->parameters()) {
      result.push_back(parameter.grad().defined() ? parameter.grad().clone()
                                                  : at::zeros_like(parameter));
      parameter.mutable_grad().reset();
    }
    return result;
  };
  const auto together = gradients(model->forward(pictures).square().sum());
  at::Tensor loss = at::zeros({});
  for (const auto& x : pictures) loss = loss + model->forward(x.unsqueeze(0)).square().sum();
  const auto alone = gradients(loss);
  for (std::size_t i = 0; i < alone.size(); ++i) {
    const double size = std::max(1.0, alone[i].abs().max().item<double>());
    CHECK(test::max_difference(together[i], alone[i]) < 1e-4 * size);
  }
}

TEST_CASE("What is no picture or batch for a model of any size is told") {
  const at::NoGradGuard no_grad;
  auto model = model_of("table");
  CHECK_THROWS_WITH(model->forward(at::zeros({1, 3, 8, 9})), Catch::ContainsSubstring("W of 4"));
  CHECK_THROWS_WITH(model->forward(at::zeros({1, 1, 8, 8})), Catch::ContainsSubstring("[B, 3, H"));
  CHECK_THROWS_WITH(model->forward(std::vector<at::Tensor>{}),
                    Catch::ContainsSubstring("no pictures"));
  CHECK_THROWS_WITH(model->forward(std::vector<at::Tensor>{at::zeros({1, 3, 8, 8})}),
                    Catch::ContainsSubstring("pictures of [C, H, W]"));

  const auto good = padded({picture(2, 3, 1), picture(1, 2, 2)}, 8);
  CHECK(model->forward_all(good).logits.size(0) == 2);
  const auto throws = [&](vit::PaddedPictures bad, const std::string& text) {
    CHECK_THROWS_WITH(model->forward_all(bad), Catch::ContainsSubstring(text));
  };
  auto bad = good;
  bad.pixel_values = good.pixel_values.slice(2, 1);
  throws(bad, "pixel_values: expected");
  bad = good;
  bad.spatial_shapes = at::tensor({3, 3, 1, 2}, at::kLong).view({2, 2});
  throws(bad, "spatial_shapes: 3 x 3");
  bad.spatial_shapes = at::tensor({0, 3, 1, 2}, at::kLong).view({2, 2});
  throws(bad, "spatial_shapes: 0 x 3");
  bad.spatial_shapes =
      at::tensor({int64_t{1} << 62, int64_t{4}, int64_t{1}, int64_t{2}}).view({2, 2});
  throws(bad, "spatial_shapes: ");
  bad.spatial_shapes = good.spatial_shapes.to(at::kFloat);
  throws(bad, "spatial_shapes: expected integers");
  bad = good;
  bad.pixel_attention_mask = at::ones({2, 8}, at::kLong);
  throws(bad, "pixel_attention_mask: picture 0 has 6 patches");
  bad.pixel_attention_mask = at::ones({2, 7}, at::kLong);
  throws(bad, "pixel_attention_mask: expected the shape");
  bad.pixel_attention_mask.reset();
  CHECK(test::same(model->forward_all(bad).logits, model->forward_all(good).logits));

  vit::VisionTransformer one_size(test::tiny_config({16, 16}));
  one_size->init_weights(1);
  CHECK_FALSE(one_size->config().takes_any_size());
  CHECK_THROWS_WITH(one_size->forward_all(good), Catch::ContainsSubstring("alone"));
  CHECK_THROWS_WITH(one_size->set_max_patches(64), Catch::ContainsSubstring("not of any size"));
}

TEST_CASE("How many patches a picture has at most is part of a model") {
  auto model = model_of("rotary");
  model->set_max_patches(30);
  const auto& how = model->picture_preprocessing();
  CHECK(how.max_patches == 30);
  const vit::Size2d patch{kPatch, kPatch}, largest_square{5 * kPatch, 5 * kPatch};
  CHECK(how.patch == patch);
  CHECK(model->config().image_size() == largest_square);
  const auto text = vit::timm_config_text(model->model_config());
  const auto read = vit::read_config(*vit::MappedFile::in_memory("config.json", text), nullptr);
  CHECK(read.vit.picture() == how);

  vit::VitConfig wrong = model->config();
  wrong.picture().patch = {8, 8};
  CHECK_THROWS_WITH(wrong.validate(), Catch::ContainsSubstring("patches of 8x8"));
  model->set_image_size(model->config().image_size());
  CHECK(model->picture_preprocessing().max_patches == 0);

  const vit::LoadOptions both{.image_size = vit::Size2d{32, 32}, .max_patches = 16};
  CHECK_THROWS_WITH(vit::create("vit_tiny_patch16_224", both),
                    Catch::ContainsSubstring("exclude each other"));
}
