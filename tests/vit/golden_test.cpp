#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/fused_runs.h"
#include "tests/support/reducer_wrapper.h"

#include <string>

#include <ATen/ATen.h>

#include <tome/tome.h>
#include <vit/flops.h>
#include <vit/load.h>
#include <vit/pos_embed.h>
#include <vit/weights/files/safetensors.h>

namespace {

constexpr double kTolerance = 1e-4;  // float32, against the libraries' own float32

tome::Schedule schedule_of(const nlohmann::json& setting) {
  const auto& r = setting.at("r");
  const std::string kind = setting.at("r_kind");
  if (kind == "list") return r.get<std::vector<int64_t>>();
  if (kind == "inflect") return tome::Schedule::linear(r.at(0), r.at(1));
  return r.get<int64_t>();
}

/// Keeps the metrics that the wrapped reducer sees, and the fused kernels out of it.
class Spy : public test::ReducerWrapper {
 public:
  using ReducerWrapper::ReducerWrapper;
  bool per_sample() const override { return false; }
  vit::BatchGroups group_batch(const vit::BatchRequest& request) const override {
    metrics[request.at.layer] = request.metric;
    return inner().group_batch(request);
  }

  mutable std::map<int64_t, at::Tensor> metrics;
};

}  // namespace

TEST_CASE("models reproduce the reference libraries with and without merging") {
  const std::string name =
      GENERATE(as<std::string>{}, "timm_vit_cls", "timm_vit_nonsquare", "timm_deit_distilled",
               "timm_mae_gap", "timm_dinov2_reg", "timm_dinov2_swiglu", "timm_clip_prenorm",
               "timm_qknorm", "timm_siglip_map", "hf_vit", "hf_deit_distilled", "hf_dinov2",
               "hf_clip_vision", "torchvision_vit", "hf_dinov2_registers", "hf_dinov2_swiglu",
               "hf_deit_plain", "hf_clip", "hf_siglip", "hf_siglip_vision", "timm_reg_map");
  CAPTURE(name);
  at::NoGradGuard no_grad;
  auto model = vit::load(test::data("vit") / name);
  const auto cases = test::read_json(test::data("vit") / name / "cases.json");
  const auto io = vit::read_safetensors(test::data("vit") / name / "io.safetensors");
  const auto input = io.at("input");
  const int64_t n0 = cases.at("num_tokens");
  REQUIRE(model->config().num_tokens() == n0);
  REQUIRE(model->config().num_prefix_tokens() == cases.at("num_prefix_tokens").get<int64_t>());

  const int64_t fused = test::has_fused_blocks() ? 1 : 0;
  const test::FusedRuns plain_runs;
  const auto plain = model->forward_all(input);
  CHECK(plain_runs.count() == fused);
  CHECK(test::max_difference(plain.logits, io.at("logits")) < kTolerance);
  CHECK(test::max_difference(plain.features, io.at("features")) < kTolerance);

  for (const auto& setting : cases.at("settings")) {
    const std::string key = setting.at("name");
    CAPTURE(key);
    tome::apply(model, {.r = schedule_of(setting), .prop_attn = setting.at("prop_attn")});
    CHECK(vit::tokens_per_layer(model->config(), model->reducer().get()) ==
          setting.at("tokens_per_layer").get<std::vector<int64_t>>());
    const auto check = [&](const vit::ForwardResult& merged) {
      CHECK(test::max_difference(merged.logits, io.at(key + "/logits")) < kTolerance);
      CHECK(test::max_difference(merged.features, io.at(key + "/features")) < kTolerance);
      CHECK(test::same(merged.size, io.at(key + "/size").squeeze(-1)));
      CHECK(test::same(merged.source, io.at(key + "/source")));
    };
    const test::FusedRuns merged_runs;
    check(model->forward_all(input, {.track_source = true}));
    CHECK(merged_runs.count() == fused);
    // Once more as separate operators: the fused blocks leave to them what needs the whole batch.
    std::shared_ptr<Spy> spy;
    if (model->reducer()) model->set_reducer(spy = std::make_shared<Spy>(model->reducer()));
    const test::FusedRuns spied_runs;
    check(model->forward_all(input, {.track_source = true}));
    CHECK(spied_runs.count() == (spy ? 0 : fused));
    for (const int64_t layer : setting.at("metric_layers"))
      CHECK(test::max_difference(spy->metrics.at(layer),
                                 io.at(key + "/metric." + std::to_string(layer))) < kTolerance);
  }
}

TEST_CASE("bfloat16 stays close to float32") {
  at::NoGradGuard no_grad;
  const auto folder = test::data("vit/timm_vit_cls");
  const auto io = vit::read_safetensors(folder / "io.safetensors");
  auto model = vit::load(folder, {.precision = {at::kBFloat16}});
  const test::FusedRuns runs;
  const auto logits = model->forward(io.at("input"));
  CHECK(runs.count() == (test::has_fused_blocks() ? 1 : 0));
  CHECK(logits.scalar_type() == at::kBFloat16);
  // Eight bits of mantissa through four blocks.
  CHECK(test::max_difference(logits, io.at("logits")) <
        0.05 * io.at("logits").abs().max().item<double>());
}

TEST_CASE("positions are resampled to other image sizes as timm does") {
  at::NoGradGuard no_grad;
  const auto folder = test::data("vit/resize_pos_embed");
  const auto cases = test::read_json(folder / "cases.json");
  const auto io = vit::read_safetensors(folder / "io.safetensors");
  for (const auto& size : cases.at("sizes")) {
    const std::string name = size.at("name");
    CAPTURE(name);
    const vit::Size2d image{size.at("height"), size.at("width")};
    auto loaded = vit::load(folder, {.image_size = image});
    CHECK(test::max_difference(loaded->named_parameters()["pos_embed"],
                               io.at("pos_embed_" + name)) < 1e-5);
    CHECK(test::max_difference(loaded->forward(io.at("input_" + name)), io.at("logits_" + name)) <
          kTolerance);

    auto resized = vit::load(folder);
    resized->set_image_size(image);
    CHECK(test::same(resized->named_parameters()["pos_embed"],
                     loaded->named_parameters()["pos_embed"]));
    CHECK(resized->picture_preprocessing().input_size == image);
  }
}
