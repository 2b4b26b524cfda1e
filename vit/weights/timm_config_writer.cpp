#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include <vit/architecture_table.h>
#include <vit/weights/timm_config_writer.h>

namespace vit {
namespace {

using Json = nlohmann::ordered_json;

/// What timm takes from the name of an architecture alone.
bool same_in_name(const VitConfig& a, const VitConfig& b) {
  return a.dist_token == b.dist_token && a.mlp == b.mlp &&
         (a.norm_eps > 5e-6) == (b.norm_eps > 5e-6);
}

/// The name that a model goes by: its own if timm knows it with these traits, else one that has
/// them; the model's arguments say the rest.
Architecture base_architecture(const VitConfig& config) {
  for (const auto& row : architecture_table())
    if (config.architecture.substr(0, config.architecture.find('.')) == row.name &&
        same_in_name(row.config().vit, config))
      return row;
  return find_architecture(config.dist_token ? "deit_base_distilled_patch16_224"
                           : config.mlp == MlpKind::swiglu_packed ? "vit_giant_patch14_dinov2"
                           : config.norm_eps > 5e-6               ? "vit_base_patch16_clip_224"
                                                                  : "vit_base_patch16_224");
}

/// The ratio from which timm computes exactly `hidden` channels.
double mlp_ratio(const VitConfig& config) {
  const double halves = config.mlp == MlpKind::swiglu_packed ? 2 : 1;
  double ratio =
      halves * static_cast<double>(config.mlp_hidden_dim) / static_cast<double>(config.embed_dim);
  while (mlp_hidden_dim(config.embed_dim, ratio, config.mlp) < config.mlp_hidden_dim)
    ratio = std::nextafter(ratio, INFINITY);
  return ratio;
}

Json size(Size2d value) {
  if (value.height == value.width) return value.height;
  return Json::array({value.height, value.width});
}

/// cls_avg stands under "vitome"; "token" is the nearest that timm has.
const char* pooling_name(Pooling pooling) {
  switch (pooling) {
    case Pooling::cls:
    case Pooling::cls_avg:
      return "token";
    case Pooling::avg:
      return "avg";
    case Pooling::max:
      return "max";
    case Pooling::avg_max:
      return "avgmax";
    case Pooling::map:
      return "map";
    case Pooling::none:
      return "";
  }
  return "token";
}

const char* activation_name(Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return "gelu";
    case Activation::gelu_tanh:
      return "gelu_tanh";
    case Activation::quick_gelu:
      return "quick_gelu";
  }
  return "gelu";
}

Json model_args(const VitConfig& c) {
  Json args{{"img_size", size(c.image_size)},
            {"patch_size", size(c.patch_size)},
            {"in_chans", c.in_channels},
            {"embed_dim", c.embed_dim},
            {"depth", c.depth},
            {"num_heads", c.num_heads},
            {"mlp_ratio", mlp_ratio(c)},
            {"qkv_bias", c.qkv_bias},
            {"qk_norm", c.qk_norm},
            {"class_token", c.cls_token},
            {"reg_tokens", c.reg_tokens},
            {"no_embed_class", !c.positions_for_prefix},
            {"pre_norm", c.pre_norm},
            {"final_norm", c.final_norm},
            {"fc_norm", c.fc_norm},
            {"global_pool", pooling_name(c.pooling)}};
  args["init_values"] = c.layer_scale ? Json(1e-5) : Json(nullptr);
  if (c.pool_prefix) args["pool_include_prefix"] = true;
  if (c.positions == Positions::none) args["pos_embed"] = "none";
  if (c.mlp == MlpKind::plain) args["act_layer"] = activation_name(c.activation);
  return args;
}

/// Where the model differs from what the rest of the file says.
Json extension(const VitConfig& c, const VitConfig& base) {
  Json own = Json::object();
  if (c.norm_eps != base.norm_eps) own["norm_eps"] = c.norm_eps;
  if (c.pooling == Pooling::cls_avg) own["global_pool"] = "cls_avg";
  if (c.resampling == Resampling::bicubic) own["resampling"] = "bicubic";
  if (c.family != base.family) own["family"] = c.family;
  if (!c.dist_head && c.dist_token) own["dist_head"] = false;
  if (!c.head_bias) own["head_bias"] = false;
  if (c.patch_bias == c.pre_norm) own["patch_bias"] = c.patch_bias;
  return own;
}

Json pretrained_cfg(const ModelConfig& config) {
  const auto& p = config.preprocessing;
  Json cfg{{"input_size", {config.vit.in_channels, p.input_size.height, p.input_size.width}},
           {"fixed_input_size", true},
           {"interpolation", p.interpolation == Interpolation::bicubic ? "bicubic" : "bilinear"},
           {"crop_pct", p.crop_pct},
           {"crop_mode", p.crop_mode == CropMode::center ? "center" : "squash"},
           {"mean", p.mean},
           {"std", p.std},
           {"num_classes", config.vit.num_classes},
           {"first_conv", "patch_embed.proj"}};
  cfg["classifier"] =
      config.vit.averages_two_heads() ? Json::array({"head", "head_dist"}) : Json("head");
  return cfg;
}

}  // namespace

std::string timm_config_text(const ModelConfig& config) {
  const VitConfig& c = config.vit;
  const auto base = base_architecture(c);
  Json root{{"architecture", base.name},
            {"num_classes", c.num_classes},
            {"num_features", c.embed_dim},
            {"global_pool", pooling_name(c.pooling)}};
  if (!config.labels.empty()) root["label_names"] = config.labels;
  root["model_args"] = model_args(c);
  root["pretrained_cfg"] = pretrained_cfg(config);
  if (const auto own = extension(c, base.config().vit); !own.empty()) root["vitome"] = own;
  return root.dump(1) + "\n";
}

std::string timm_obstacle(const VitConfig& config) {
  if (config.pooling == Pooling::cls_avg)
    return "its head reads class token and mean patch token together";
  if (config.dist_token && !config.dist_head)
    return "it has a distillation token without a head of its own";
  if (!config.head_bias && config.num_classes) return "its head has no bias";
  if (config.patch_bias == config.pre_norm)
    return config.patch_bias ? "it has a bias in the patch embedding before a norm"
                             : "it has no bias in the patch embedding";
  return "";
}

}  // namespace vit
