#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <nlohmann/json.hpp>

#include <base/error.h>
#include <base/json.h>
#include <base/json_text.h>
#include <base/text.h>
#include <train/model_setup.h>
#include <vit/init.h>
#include <vit/weights/layouts/timm.h>

namespace train {
namespace {

/// {"img_size": 32} of "img_size=32".
nlohmann::json keyword_arguments(const std::string& text) {
  auto arguments = nlohmann::json::object();
  for (const std::string& word : base::split(text, ' ')) {
    if (word.empty()) continue;
    const auto end = word.find('=');
    if (end == std::string::npos || end == 0)
      base::fail("model arguments: '", base::printable(word), "' is no NAME=VALUE such as depth=9");
    const std::string value = word.substr(end + 1);
    auto parsed = nlohmann::json::parse(value, nullptr, /*allow_exceptions=*/false);
    if (value == "True" || value == "False") parsed = value == "True";
    if (value == "None") parsed = nullptr;
    arguments[word.substr(0, end)] = parsed.is_discarded() ? nlohmann::json(value) : parsed;
  }
  return arguments;
}

// config.json will hold the names, and JSON is UTF-8.
void check_names(const std::vector<std::string>& class_names) {
  using Json = nlohmann::json;
  for (const std::string& name : class_names) {
    try {
      (void)Json(name).dump();
    } catch (const Json::type_error&) {
      base::fail("class ", base::json_text(Json(name)),
                 ": its name is not UTF-8; rename the folder, or its entry in the list");
    }
  }
}

// As RoPE-ViT (arXiv 2403.13298) has them.
vit::RotaryConfig rotary(vit::RotaryFrequencies frequencies) {
  vit::RotaryConfig config;
  config.frequencies = frequencies;
  config.columns_first = true;
  config.base = frequencies == vit::RotaryFrequencies::axial ? 100 : 10;
  return config;
}

void set_positions(vit::VitConfig& config, Positions positions) {
  auto& added = config.positions.kind;
  auto& rotated = config.block.attention.rotary;
  added = vit::PositionKind::none;
  config.positions.table = {};
  rotated.reset();
  config.block.attention.relative_bias.reset();
  switch (positions) {
    case Positions::learned:
      added = vit::PositionKind::learned;
      break;
    case Positions::sincos:
      added = vit::PositionKind::sincos_2d;
      break;
    case Positions::rotary:
      rotated = rotary(vit::RotaryFrequencies::axial);
      break;
    case Positions::rotary_mixed:
      rotated = rotary(vit::RotaryFrequencies::learned);
      break;
    case Positions::none:
      break;
  }
}

// One of a gated MLP's three matrices takes the place of half of the other two.
void set_mlp(vit::MlpConfig& mlp, vit::MlpKind kind) {
  if (kind == mlp.kind) return;
  constexpr int64_t kMultiple = 16;  // what fused kernels want
  const bool gates = kind == vit::MlpKind::swiglu_packed;
  const int64_t hidden = gates ? mlp.hidden_dim * 2 / 3 : mlp.hidden_dim * 3 / 2;
  mlp.hidden_dim = (hidden + kMultiple - 1) / kMultiple * kMultiple;
  mlp.kind = kind;
}

void apply(const ModelChanges& changes, vit::VitConfig& config) {
  if (changes.positions) set_positions(config, *changes.positions);
  if (changes.mlp) set_mlp(config.block.mlp, *changes.mlp);
  if (changes.norm) config.block.norm.kind = *changes.norm;
  if (changes.registers) config.prefix.reg_tokens = *changes.registers;
  config.fit_relative_bias();
}

}  // namespace

vit::VisionTransformer random_model(const std::string& architecture, const std::string& model_args,
                                    const std::vector<std::string>& class_names, uint64_t seed,
                                    const ModelChanges& changes) {
  check_names(class_names);
  const nlohmann::json document{{"architecture", architecture},
                                {"num_classes", class_names.size()},
                                {"label_names", class_names},
                                {"model_args", keyword_arguments(model_args)}};
  vit::ModelConfig config = vit::read_timm_config(base::JsonNode(document, "model arguments"));
  if (config.vit.head.num_classes != static_cast<int64_t>(class_names.size()))
    base::fail("model arguments: num_classes is ", config.vit.head.num_classes,
               ", but the data has ", class_names.size(), " classes; leave it away");
  config.labels = class_names;
  config.vit.picture().crop_pct = 1;
  apply(changes, config.vit);
  vit::VisionTransformer model(std::move(config));
  model->init_weights(seed);
  return model;
}

vit::VisionTransformer with_classes(const vit::VisionTransformer& model,
                                    const std::vector<std::string>& class_names, uint64_t seed) {
  if (model->labels() == class_names) return model;
  check_names(class_names);
  vit::ModelConfig config = model->model_config();
  config.vit.head.num_classes = static_cast<int64_t>(class_names.size());
  config.labels = class_names;
  config.scores.reset();
  vit::VisionTransformer changed(std::move(config));
  const vit::StateDict weights = weights_of(model);
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (auto& item : changed->named_parameters()) {
    if (item.key().starts_with("head"))
      vit::init_parameter(item.key(), item.value(), generator);
    else
      item.value().set_data(weights.at(item.key()));
  }
  return changed;
}

vit::VisionTransformer empty_copy(const vit::VisionTransformer& model, at::ScalarType dtype) {
  vit::VisionTransformer copy(model->model_config());
  copy->to(model->parameters().front().device(), dtype);
  copy->eval();
  for (auto& parameter : copy->parameters()) parameter.requires_grad_(false);
  return copy;
}

void copy_weights(const vit::StateDict& weights, vit::VisionTransformer& model) {
  const at::NoGradGuard no_gradient;
  for (auto& item : model->named_parameters()) item.value().copy_(weights.at(item.key()));
}

vit::StateDict weights_of(const vit::VisionTransformer& model) {
  vit::StateDict weights;
  for (const auto& item : model->named_parameters()) weights[item.key()] = item.value();
  return weights;
}

}  // namespace train
