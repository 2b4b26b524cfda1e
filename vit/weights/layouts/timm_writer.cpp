#include <nlohmann/json.hpp>

#include <vit/architecture_table.h>
#include <vit/error.h>
#include <vit/weights/json.h>
#include <vit/weights/layouts/picture_json.h>
#include <vit/weights/layouts/problem_type.h>
#include <vit/weights/layouts/timm.h>
#include <vit/weights/layouts/timm_fields.h>
#include <vit/weights/layouts/timm_writer.h>

namespace vit {
namespace {

using Json = nlohmann::ordered_json;

/// What timm takes from the name of an architecture alone.
bool same_in_name(const VitConfig& a, const VitConfig& b) {
  return a.prefix.dist_token == b.prefix.dist_token && a.block.mlp.kind == b.block.mlp.kind &&
         (a.block.norm.eps > 5e-6) == (b.block.norm.eps > 5e-6);
}

/// The name that a model goes by: its own if timm knows it with these traits, else one that has
/// them; the model's arguments say the rest.
Architecture base_architecture(const VitConfig& config) {
  for (const auto& row : architecture_table())
    if (config.architecture.substr(0, config.architecture.find('.')) == row.name &&
        same_in_name(row.config().vit, config))
      return row;
  return find_architecture(config.prefix.dist_token ? "deit_base_distilled_patch16_224"
                           : config.block.mlp.kind == MlpKind::swiglu_packed
                               ? "vit_giant_patch14_dinov2"
                           : config.block.norm.eps > 5e-6 ? "vit_base_patch16_clip_224"
                                                          : "vit_base_patch16_224");
}

Json model_args(const VitConfig& config) {
  Json args = Json::object();
  for (const TimmField& field : timm_fields())
    if (field.write)
      if (const auto value = field.write(config)) args[field.name] = *value;
  return args;
}

/// Where the model differs from what the rest of the file says.
Json extension(const VitConfig& config, const Json& rest) {
  const auto document = parse_json(rest.dump(), "config.json");
  const VitConfig read = read_timm_config(JsonNode(document, "config.json")).vit;
  Json own = Json::object();
  for (const ExtensionField& field : extension_fields())
    if (const Json value = field.write(config); !value.is_null() && value != field.write(read))
      own[field.name] = value;
  return own;
}

/// Throws Error if the file would be read as another model: a field that nothing writes.
void check_reads_back(VitConfig config, const Json& root) {
  const auto document = parse_json(root.dump(), "config.json");
  const VitConfig read = read_timm_config(JsonNode(document, "config.json")).vit;
  config.architecture = read.architecture;  // for display
  if (!(config == read))
    fail("save: a config.json has no words for all that the model ", config.architecture, " is");
}

Json pretrained_cfg(const ModelConfig& config) {
  const PicturePreprocessing& p = config.vit.picture();
  Json cfg{{"input_size", {config.vit.input.channels, p.input_size.height, p.input_size.width}},
           {"fixed_input_size", true}};
  cfg.update(timm_preprocessing_json(p));
  cfg["num_classes"] = config.vit.head.num_classes;
  cfg["first_conv"] = "patch_embed.proj";
  cfg["classifier"] =
      config.vit.head.token_heads == 2 ? Json::array({"head", "head_dist"}) : Json("head");
  return cfg;
}

}  // namespace

std::string timm_config_text(const ModelConfig& config) {
  const VitConfig& c = config.vit;
  const auto base = base_architecture(c);
  Json root{{"architecture", base.name},
            {"num_classes", c.head.num_classes},
            {"num_features", c.embed_dim()},
            {"global_pool", timm_pooling_name(c.head.pooling)}};
  if (!config.labels.empty()) root["label_names"] = config.labels;
  // timm has no word for it; the transformers library reads it in timm's files, too.
  if (config.scores) root["problem_type"] = problem_type_name(*config.scores);
  root["model_args"] = model_args(c);
  root["pretrained_cfg"] = pretrained_cfg(config);
  if (const auto own = extension(c, root); !own.empty()) root["vitome"] = own;
  check_reads_back(c, root);
  return root.dump(1) + "\n";
}

std::string timm_obstacle(const VitConfig& config) {
  const HeadConfig& head = config.head;
  const BlockConfig& block = config.block;
  const AttentionConfig& attention = block.attention;
  const struct {
    bool is_there;
    const char* obstacle;
  } obstacles[] = {
      {head.pooling == Pooling::cls_avg,
       "its head reads class token and mean patch token together"},
      {head.pooling == Pooling::cls_dist,
       "its head reads the mean of class and distillation token"},
      {config.prefix.dist_token && head.token_heads == 1,
       "it has a distillation token without a head of its own"},
      {!head.bias && head.num_classes, "its head has no bias"},
      {config.patch.bias && config.pre_norm, "it has a bias in the patch embedding before a norm"},
      {!config.patch.bias && !config.pre_norm, "it has no bias in the patch embedding"},
      {config.patch.kernel != config.patch.stride, "its patches overlap"},
      {config.input.extent.frames != 1, "it takes clips of several frames"},
      {config.positions.computed(), "its positions are computed"},
      {head.norm_before && head.norm_after, "it has norms on both sides of the pooling"},
      {block.norm.kind != NormKind::layer_norm, "it has RMS norms"},
      {block.norm_place != NormPlace::pre, "its norms follow the branches of a block"},
      {attention.has_qkv_bias() && !(attention.q_bias && attention.k_bias && attention.v_bias),
       "some of its queries, keys and values have no bias"},
      {attention.rotary.has_value(), "it has rotary positions"},
      {block.mlp.norm, "it has norms inside the MLP"},
  };
  for (const auto& [is_there, obstacle] : obstacles)
    if (is_there) return obstacle;
  return "";
}

}  // namespace vit
