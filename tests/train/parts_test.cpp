#include <cmath>
#include <numeric>
#include <set>
#include <tests/support/catch.h>
#include <tests/support/temp_dir.h>

#include <ATen/ATen.h>

#include <train/adamw.h>
#include <train/checkpoint.h>
#include <train/curves.h>
#include <train/ema.h>
#include <train/learning_rate.h>
#include <train/loss.h>
#include <train/mimetic.h>
#include <train/model_setup.h>
#include <train/order.h>
#include <train/parameter_groups.h>
#include <vit/error.h>
#include <vit/pos_embed.h>

namespace {

using Catch::ContainsSubstring;

constexpr char kSmall[] = "img_size=16 patch_size=8 embed_dim=16 depth=2 num_heads=2";

vit::VisionTransformer small_model() {
  return train::random_model("vit_tiny_patch16_224", kSmall, {"a", "b", "c"}, 1);
}

}  // namespace

TEST_CASE("every epoch has an order of its own, the same in each run") {
  const auto order = train::epoch_order(1000, 5, 3);
  CHECK(order == train::epoch_order(1000, 5, 3));
  CHECK(order != train::epoch_order(1000, 5, 4));
  CHECK(order != train::epoch_order(1000, 6, 3));
  CHECK(std::set<int64_t>(order.begin(), order.end()).size() == 1000);
  CHECK(train::epoch_order(0, 5, 3).empty());

  // Each entry comes to each place about equally often.
  double first = 0;
  for (int64_t epoch = 0; epoch < 400; ++epoch)
    first += static_cast<double>(train::epoch_order(101, 9, epoch).front());
  CHECK(std::abs(first / 400 - 50) < 4 * 29.2 / 20);  // four standard errors
}

TEST_CASE("processes share out the steps of an epoch") {
  std::vector<int64_t> order(26);
  std::iota(order.begin(), order.end(), 100);
  const train::Deal whole{.batch = 8};
  CHECK(whole.steps(26) == 3);
  CHECK(whole.entries(order, 0).size() == 24);
  CHECK(whole.entries(order, 2) == std::vector<int64_t>{116, 117, 118, 119, 120, 121, 122, 123});

  const train::Deal second{.batch = 8, .rank = 1, .processes = 2};
  CHECK(second.share() == 4);
  CHECK(second.entries(order, 1) == std::vector<int64_t>{112, 113, 114, 115, 120, 121, 122, 123});
}

TEST_CASE("the learning rate warms up and falls along a cosine") {
  const train::LearningRate rate{.peak = 2, .lowest = 1, .warmup_epochs = 4, .epochs = 12};
  CHECK(std::abs(rate.at(1) - 0.5) < 1e-9);
  CHECK(std::abs(rate.at(4) - 2) < 1e-9);
  CHECK(std::abs(rate.at(8) - 1.5) < 1e-9);
  CHECK(std::abs(rate.at(10) - (1 + 0.5 * (1 + std::cos(0.75 * M_PI)))) < 1e-9);
  CHECK(std::abs(rate.at(12) - 1) < 1e-9);
  CHECK(train::LearningRate{.peak = 2, .lowest = 0, .warmup_epochs = 0, .epochs = 1}.at(0) == 2);
}

TEST_CASE("parameter groups: no decay of norms, biases and tokens, rates by layer") {
  auto model = small_model();
  const auto same = train::parameter_groups(model, 0.1, 1);
  REQUIRE(same.size() == 2);
  for (const auto& group : same) {
    CHECK(group.rate == 1);
    for (const auto& name : group.names) {
      const bool plain = name.ends_with("weight") && name.find("norm") == std::string::npos;
      CHECK(group.weight_decay == (plain ? 0.1 : 0));
    }
  }

  std::size_t count = 0;
  for (const auto& group : train::parameter_groups(model, 0.1, 0.5))
    for (const auto& name : group.names) {
      ++count;
      const double expected = name.starts_with("blocks.0")                           ? 0.25
                              : name.starts_with("blocks.1")                         ? 0.5
                              : name.starts_with("head") || name.starts_with("norm") ? 1
                                                                                     : 0.125;
      CHECK(std::abs(group.rate - expected) < 1e-9);
    }
  CHECK(count == model->parameters().size());

  train::freeze_blocks(model, 1);
  for (const auto& group : train::parameter_groups(model, 0.1, 1))
    for (const auto& name : group.names)
      CHECK((name.starts_with("blocks.1") || name.starts_with("norm") || name.starts_with("head")));
  train::freeze_backbone(model);
  std::set<std::string> left;
  for (const auto& group : train::parameter_groups(model, 0.1, 1))
    left.insert(group.names.begin(), group.names.end());
  CHECK(left == std::set<std::string>{"head.bias", "head.weight"});
}

TEST_CASE("AdamW follows its definition") {
  // Three steps against arXiv 1711.05101, algorithm 2, in float64.
  at::Tensor parameter = at::tensor({1.0, -2.0, 0.5}, at::kFloat).requires_grad_(true);
  train::ParameterGroup group{{"p"}, {parameter}, /*weight_decay=*/0.1, /*rate=*/0.5};
  train::AdamW optimizer({group}, {.beta1 = 0.8, .beta2 = 0.9, .eps = 1e-6});
  at::Tensor x = parameter.detach().to(at::kDouble), m = at::zeros_like(x), v = at::zeros_like(x);
  for (int step = 1; step <= 3; ++step) {
    const at::Tensor gradient = at::tensor({0.3, -0.1 * step, 2.0}, at::kDouble);
    parameter.mutable_grad() = gradient.to(at::kFloat);
    optimizer.step(0.02);
    x = x * (1 - 0.01 * 0.1);
    m = 0.8 * m + 0.2 * gradient;
    v = 0.9 * v + 0.1 * gradient * gradient;
    x = x -
        0.01 * (m / (1 - std::pow(0.8, step))) / ((v / (1 - std::pow(0.9, step))).sqrt() + 1e-6);
    CHECK(at::allclose(parameter.detach().to(at::kDouble), x, 1e-6, 1e-6));
  }
  CHECK(optimizer.state().at("step.p").item<float>() == 3);
  CHECK(optimizer.state().at("exp_avg.p").sizes() == parameter.sizes());

  optimizer.clear_gradients();
  CHECK_FALSE(parameter.grad().defined());
  CHECK(at::equal(optimizer.gradients().front(), at::zeros({3})));
}

TEST_CASE("the average of the weights follows them, faster in the beginning") {
  auto model = small_model();
  train::Ema ema(model, 0.5);
  const at::Tensor before = model->named_parameters()["head.weight"].detach().clone();
  {
    const at::NoGradGuard no_gradient;
    model->named_parameters()["head.weight"].add_(1);
  }
  ema.update(1);  // keeps 2/11
  CHECK(at::allclose(ema.weights().at("head.weight"), before + 9.0 / 11));
  ema.update(1000);  // keeps one half
  CHECK(at::allclose(ema.weights().at("head.weight"), before + 1 - 1.0 / 11));
}

TEST_CASE("targets and losses") {
  const std::vector<int64_t> first{2}, second{0};
  const at::Tensor targets = train::targets({&first, &second}, 4, 0.2, false);
  CHECK(at::allclose(
      targets,
      at::tensor({0.05, 0.05, 0.85, 0.05, 0.85, 0.05, 0.05, 0.05}, at::kFloat).view({2, 4})));
  const at::Tensor logits = at::randn({2, 4});
  CHECK(at::allclose(
      train::loss_sum(logits, targets, false),
      at::cross_entropy_loss(logits, at::tensor({2, 0}, at::kLong), {}, at::Reduction::Sum, -100,
                             /*label_smoothing=*/0.2)));

  const std::vector<int64_t> several{1, 3}, none;
  const at::Tensor both = train::targets({&several, &none}, 4, 0.1, true);
  CHECK(at::allclose(
      both, at::tensor({0.05, 0.95, 0.05, 0.95, 0.05, 0.05, 0.05, 0.05}, at::kFloat).view({2, 4})));
  const at::Tensor p = logits.sigmoid();
  CHECK(at::allclose(train::loss_sum(logits, both, true),
                     -(both * p.log() + (1 - both) * (1 - p).log()).sum() / 4));
}

TEST_CASE("a model for other classes keeps everything but its head") {
  const auto model = small_model();
  const auto other = train::with_classes(model, {"x", "y"}, 7);
  CHECK(other->labels() == std::vector<std::string>{"x", "y"});
  CHECK(other->config().head.num_classes == 2);
  for (const auto& item : other->named_parameters()) {
    if (item.key().starts_with("head")) {
      CHECK(item.value().size(0) == 2);
    } else {
      CHECK(at::equal(item.value(), model->named_parameters()[item.key()]));
    }
  }
  // As many classes, but others.
  const auto renamed = train::with_classes(model, {"x", "y", "z"}, 7);
  CHECK_FALSE(at::equal(renamed->named_parameters()["head.weight"],
                        model->named_parameters()["head.weight"]));
  CHECK(train::with_classes(model, {"a", "b", "c"}, 7).get() == model.get());
}

TEST_CASE("arguments of a random model are checked") {
  const auto make = [](const std::string& args) {
    return train::random_model("vit_tiny_patch16_224", args, {"a", "b"}, 0);
  };
  const auto model = make("img_size=32 patch_size=4 depth=3 class_token=False global_pool=avg");
  CHECK(model->config().num_tokens() == 64);
  CHECK(model->config().depth == 3);
  CHECK(model->picture_preprocessing().crop_pct == 1);
  CHECK_THROWS_WITH(make("depth"), ContainsSubstring("'depth' is no NAME=VALUE"));
  CHECK_THROWS_WITH(make("dept=3"), ContainsSubstring("dept"));
  CHECK_THROWS_WITH(make("depth=three"),
                    ContainsSubstring("depth") && ContainsSubstring("integer"));
  CHECK_THROWS_WITH(make("num_classes=7"), ContainsSubstring("the data has 2 classes"));
}

TEST_CASE("a random model may differ from its architecture") {
  const auto make = [](const train::ModelChanges& changes, const std::string& args = kSmall) {
    return train::random_model("vit_tiny_patch16_224", args, {"a", "b"}, 0, changes);
  };
  const auto plain = make({});
  using train::Positions;
  for (const auto positions : {Positions::learned, Positions::sincos, Positions::rotary,
                               Positions::rotary_mixed, Positions::none}) {
    CAPTURE(static_cast<int>(positions));
    const auto model = make({.positions = positions});
    const vit::VitConfig& config = model->config();
    CHECK((config.positions.kind == vit::PositionKind::learned) ==
          (positions == Positions::learned));
    CHECK((config.positions.kind == vit::PositionKind::sincos_2d) ==
          (positions == Positions::sincos));
    const bool mixed = positions == Positions::rotary_mixed;
    CHECK(config.block.attention.rotary.has_value() == (mixed || positions == Positions::rotary));
    CHECK(model->named_parameters().contains("blocks.1.attn.freqs") == mixed);
    CHECK(at::isfinite(model->forward(at::randn({2, 3, 16, 16}))).all().item<bool>());
  }
  const auto other =
      make({.mlp = vit::MlpKind::swiglu_packed, .norm = vit::NormKind::rms_norm, .registers = 3});
  CHECK(other->config().num_prefix_tokens() == 4);
  CHECK_FALSE(other->named_parameters().contains("blocks.0.norm1.bias"));
  const auto numbers = [](const vit::VisionTransformer& model) {
    const auto parameters = model->named_parameters();
    return parameters["blocks.0.mlp.fc1.weight"].numel() +
           parameters["blocks.0.mlp.fc2.weight"].numel();
  };
  CHECK(numbers(other) == Approx(numbers(plain)).epsilon(0.15));  // in whole vectors of hidden ones
  const auto back =
      make({.mlp = vit::MlpKind::plain}, std::string(kSmall) + " mlp_layer=swiglu_packed");
  CHECK(back->config().block.mlp.kind == vit::MlpKind::plain);
  CHECK_THROWS_WITH(make({.positions = Positions::rotary},
                         "img_size=16 patch_size=8 embed_dim=18 depth=1 num_heads=3"),
                    ContainsSubstring("rotary positions need heads of a multiple of 4"));
}

TEST_CASE("mimetic weights fit tables of positions of any grid, and are not for shared keys") {
  vit::ModelConfig config = small_model()->model_config();
  config.vit.positions = {.covers_prefix = false, .table = {3, 5}};
  vit::VisionTransformer model(config);
  model->init_weights(1);
  train::mimetic_init(model, 1);
  CHECK(at::equal(model->named_parameters()["pos_embed"],
                  vit::sincos_positions_2d({3, 5}, config.vit.embed_dim())));
  config.vit.block.attention.num_kv_heads = 1;
  vit::VisionTransformer grouped(config);
  CHECK_THROWS_WITH(train::mimetic_init(grouped, 1), ContainsSubstring("not for 1 and 2"));
}

TEST_CASE("classes whose names JSON cannot hold are refused by name") {
  const std::vector<std::string> names = {"caf\xe9", "th\xc3\xa9"};
  const auto expected = ContainsSubstring("class \"caf\xef\xbf\xbd\": its name is not UTF-8");
  CHECK_THROWS_WITH(train::random_model("vit_tiny_patch16_224", kSmall, names, 0), expected);
  CHECK_THROWS_WITH(train::with_classes(small_model(), names, 0), expected);
}

TEST_CASE("a checkpoint is read as it was written, and nothing else is taken for one") {
  const test::TempDir folder;
  train::Checkpoint checkpoint;
  checkpoint.tensors["model.a"] = at::randn({3, 4});
  checkpoint.tensors["optimizer.step.a"] = at::scalar_tensor(5.0f);
  checkpoint.settings = {{"lr", 0.001}};
  checkpoint.data = {{"pictures", 7}};
  checkpoint.progress.epoch = 2;
  checkpoint.progress.step_in_epoch = 3;
  checkpoint.progress.step = 9;
  checkpoint.progress.current = {.epoch = 3, .loss = 1.25, .rate = 1e-3, .pictures = 12};
  checkpoint.progress.history = {{.epoch = 1, .loss = 0.1 + 0.2, .score = 1.0 / 3}, {.epoch = 2}};
  checkpoint.progress.best_epoch = 1;
  checkpoint.progress.best_score = 1.0 / 3;
  const auto file = folder.path() / "checkpoint.safetensors";
  train::write_checkpoint(file, checkpoint);
  const train::Checkpoint read = train::read_checkpoint(file);
  CHECK(read.tensors.size() == 2);
  CHECK(at::equal(read.tensors.at("model.a"), checkpoint.tensors.at("model.a")));
  CHECK(train::to_json(read.progress) == train::to_json(checkpoint.progress));
  CHECK(read.settings == checkpoint.settings);
  CHECK(read.data == checkpoint.data);

  CHECK_THROWS_WITH(train::read_checkpoint(folder.path() / "none.safetensors"),
                    ContainsSubstring("none.safetensors"));
  CHECK_THROWS_WITH(
      train::write_checkpoint(folder.path() / "missing" / "checkpoint.safetensors", checkpoint),
      ContainsSubstring("cannot create"));
}

TEST_CASE("curves are drawn for one epoch and for many, with and without validation") {
  const std::string one = train::curves_svg({{.epoch = 1, .loss = 2}}, "");
  CHECK_THAT(one, ContainsSubstring("<svg") && ContainsSubstring("</svg>"));
  CHECK(one.find("nan") == std::string::npos);
  CHECK(one.find("validation") == std::string::npos);
  std::vector<train::EpochResult> history;
  for (int64_t epoch = 1; epoch <= 30; ++epoch)
    history.push_back({.epoch = epoch,
                       .loss = 2.0 / static_cast<double>(epoch),
                       .validation_loss = 1.9 / static_cast<double>(epoch),
                       .score = 1 - 0.9 / static_cast<double>(epoch)});
  const std::string many = train::curves_svg(history, "top-1");
  CHECK_THAT(many, ContainsSubstring("validation loss") && ContainsSubstring("top-1 97.00%"));
  CHECK(many.find("nan") == std::string::npos);
}
