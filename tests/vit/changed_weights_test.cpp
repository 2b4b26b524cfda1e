#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/environment.h"
#include "tests/support/fused_runs.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_config.h"
#include "tests/vit/native.h"

#include <functional>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>
#include <torch/serialize.h>

#include <vit/inference_model.h>
#include <vit/kernels/fused_blocks.h>
#include <vit/vision_transformer.h>

// Models whose weights change after they have run: a module answers with the new ones, an
// inference model with those that it was made of.

namespace {

vit::ModelConfig small_config() {
  auto config = test::tiny_config({32, 32});
  config.vit.depth = 2;
  return config;
}

vit::VisionTransformer small_model(const vit::ModelConfig& config = small_config()) {
  vit::VisionTransformer model(config);
  model->init_weights(1);
  model->eval();
  const at::NoGradGuard no_grad;
  for (auto& parameter : model->parameters()) {
    parameter.requires_grad_(false);
    parameter.mul_(8);
  }
  return model;
}

at::Tensor pixels() {
  return at::randn({2, 3, 32, 32}, at::make_generator<at::CPUGeneratorImpl>(7));
}

at::Tensor reference(const vit::VisionTransformer& model) {
  const test::KernelChoice choice("reference");
  const at::NoGradGuard no_grad;
  return model->forward(pixels());
}

template <typename Optimizer>
void step(vit::VisionTransformer& model, Optimizer optimizer) {
  for (auto& parameter : model->parameters()) parameter.requires_grad_(true);
  model->forward(pixels()).pow(2).mean().backward();
  optimizer.step();
}

void each_weight(const vit::VisionTransformer& model,
                 const std::function<void(at::Tensor)>& change) {
  for (const auto& parameter : model->named_parameters())
    if (parameter.key().find("mlp.fc1.weight") != std::string::npos) change(parameter.value());
}

struct Change {
  const char* how;
  std::function<void(vit::VisionTransformer&)> make;
};

std::vector<Change> changes() {
  return {
      {"SGD", [](auto& model) { step(model, torch::optim::SGD(model->parameters(), 0.1)); }},
      {"AdamW", [](auto& model) { step(model, torch::optim::AdamW(model->parameters(), 0.1)); }},
      {"data()", [](auto& model) { each_weight(model, [](at::Tensor w) { w.data().mul_(3); }); }},
      {"a pointer",
       [](auto& model) {
         each_weight(model, [](const at::Tensor& w) {
           for (int64_t i = 0; i < w.numel(); ++i) w.data_ptr<float>()[i] *= 3;
         });
       }},
      {"in place",
       [](auto& model) {
         const at::NoGradGuard no_grad;
         each_weight(model, [](at::Tensor w) { w.mul_(3); });
       }},
      {"InferenceMode",
       [](auto& model) {
         const c10::InferenceMode inference;
         each_weight(model, [](at::Tensor w) { w.data().mul_(3); });
       }},
      {"set_data",
       [](auto& model) { each_weight(model, [](at::Tensor w) { w.set_data(w.detach() * 3); }); }},
  };
}

// Of one pass, fused where this machine can.
at::Tensor run(const vit::VisionTransformer& model) {
  const at::NoGradGuard no_grad;
  const test::FusedRuns runs;
  const auto logits = model->forward(pixels());
  CHECK(runs.count() == (test::has_fused_blocks() ? 1 : 0));
  return logits;
}

}  // namespace

TEST_CASE("a model answers with the weights that it has, however they were changed") {
  for (const Change& change : changes()) {
    CAPTURE(change.how);
    auto model = small_model();
    const auto before = run(model);
    change.make(model);
    const auto after = run(model);
    CHECK(test::max_difference(after, before) > 1e-3);
    CHECK(test::max_difference(after, reference(model)) < 1e-4);
  }
}

TEST_CASE("a model made under InferenceMode answers with changed weights, too") {
  const c10::InferenceMode inference;
  auto model = small_model();
  REQUIRE(model->parameters().front().is_inference());
  const auto before = run(model);
  each_weight(model, [](at::Tensor w) { w.mul_(3); });
  const auto after = run(model);
  CHECK(test::max_difference(after, before) > 1e-3);
  CHECK(test::max_difference(after, reference(model)) < 1e-4);
}

TEST_CASE("an inference model keeps the weights that it was made of") {
  auto config = small_config();
  const bool packs = GENERATE(true, false);
  if (!packs) config.vit.block.norm_place = vit::NormPlace::post;
  auto model = small_model(config);
  const vit::InferenceModel inference(model);
  CHECK(inference.is_packed() == (packs && test::has_fused_blocks()));
  const auto before = inference.forward(pixels());
  for (auto& parameter : model->parameters()) parameter.data().mul_(3);
  CHECK(test::same(inference.forward(pixels()), before));
  CHECK(test::max_difference(reference(model), before) > 1e-3);
}

TEST_CASE("what others hold of a model that an inference model took over stays whole") {
  auto model = small_model();
  const auto held = model->named_parameters();
  const auto copies = [&] {
    std::vector<at::Tensor> list;
    for (const auto& item : held) list.push_back(item.value().clone());
    return list;
  }();
  const vit::InferenceModel inference(std::move(model));
  for (std::size_t i = 0; i < copies.size(); ++i) CHECK(test::same(held[i].value(), copies[i]));
  if (!inference.is_packed()) return;
  const auto before = inference.forward(pixels());
  for (const auto& item : held) item.value().data().mul_(3);
  CHECK(test::same(inference.forward(pixels()), before));
}

TEST_CASE("weights that only their module has are freed as they are packed") {
  SKIP_UNLESS_NATIVE(vit::kernels::Math::fp32);
  auto model = small_model();
  const auto kept = model->named_parameters()["blocks.0.attn.proj.weight"];
  const auto packed =
      vit::kernels::PackedBlocks::pack(model->config().block, model->block_weights(),
                                       /*quantize=*/false, at::kFloat, /*free_weights=*/true);
  REQUIRE(packed);
  CHECK(kept.numel() == 16 * 16);
  for (const auto& item : model->named_parameters()) {
    CAPTURE(item.key());
    const bool freed = item.key().starts_with("blocks.") && item.key().ends_with(".weight") &&
                       item.key().find("norm") == std::string::npos &&
                       item.key() != "blocks.0.attn.proj.weight";
    CHECK((item.value().numel() == 0) == freed);
  }
}

TEST_CASE("a model is saved and loaded by LibTorch whatever was made of it") {
  const test::TempDir folder;
  auto model = small_model();
  const auto expected = run(model);
  const vit::InferenceModel inference(model);
  torch::save(model, (folder / "model.pt").string());
  auto other = small_model();
  for (auto& parameter : other->parameters()) parameter.zero_();
  torch::load(other, (folder / "model.pt").string());
  CHECK(test::same(run(other), expected));
}
