#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/tiny_config.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/inference_model.h>
#include <vit/scores.h>
#include <vit/vision_transformer.h>

using vit::ScoreKind;

TEST_CASE("scores are a softmax, a sigmoid of each logit, or the logits") {
  const auto logits = at::tensor({-0.5F, 2.0F, 0.25F, 0.0F}).view({2, 2});
  const auto softmax = vit::scores(logits, ScoreKind::softmax);
  const auto sigmoid = vit::scores(logits, ScoreKind::sigmoid);
  for (int64_t row = 0; row < 2; ++row) {
    const double a = std::exp(logits[row][0].item<double>());
    const double b = std::exp(logits[row][1].item<double>());
    CHECK(std::abs(softmax[row][0].item<double>() - a / (a + b)) < 1e-6);
    CHECK(std::abs(softmax[row][1].item<double>() - b / (a + b)) < 1e-6);
    CHECK(std::abs(sigmoid[row][0].item<double>() - a / (a + 1)) < 1e-6);
  }
  CHECK(test::same(vit::scores(logits, ScoreKind::none), logits));
  const auto half = vit::scores(logits.to(at::kHalf), ScoreKind::softmax);
  CHECK(half.scalar_type() == at::kFloat);
  CHECK(test::max_difference(half, softmax) < 1e-3);
  CHECK_THROWS_AS(vit::scores(at::ones({1, 2}, at::kLong), ScoreKind::softmax), c10::Error);
}

TEST_CASE("no score is made of logits that are not finite") {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    const auto logits = at::tensor({1.0F, 2.0F, 3.0F, bad, 5.0F, 6.0F}).view({3, 2});
    for (const auto kind : {ScoreKind::softmax, ScoreKind::sigmoid, ScoreKind::none})
      CHECK_THROWS_WITH(vit::scores(logits, kind), Catch::ContainsSubstring("NaN or infinite"));
    CHECK(test::same(vit::finite_inputs(logits), at::tensor({1, 0, 1})));
    // Logits of every token.
    CHECK(test::same(vit::finite_inputs(logits.view({1, 3, 2})), at::tensor({0})));
  }
}

TEST_CASE("a model says how its logits become scores") {
  auto config = test::tiny_config({16, 16});
  CHECK(vit::VisionTransformer(config)->score_kind() == ScoreKind::softmax);
  config.vit.head.num_classes = 1;
  vit::VisionTransformer model(config);
  model->init_weights(1);
  model->eval();
  CHECK(model->score_kind() == ScoreKind::sigmoid);
  CHECK_THROWS_AS(model->set_scores(ScoreKind::softmax), vit::Error);
  model->set_scores(ScoreKind::none);
  CHECK(model->score_kind() == ScoreKind::none);
  CHECK(vit::InferenceModel(model).score_kind() == ScoreKind::none);
}
