#include <nlohmann/json.hpp>

#include <vit/architecture_table.h>
#include <vit/error.h>
#include <vit/weights/json.h>
#include <vit/weights/layouts/picture_json.h>
#include <vit/weights/layouts/problem_type.h>
#include <vit/weights/layouts/timm.h>
#include <vit/weights/layouts/timm_fields.h>
#include <vit/weights/layouts/timm_model.h>
#include <vit/weights/layouts/timm_writer.h>

namespace vit {
namespace {

using Json = nlohmann::ordered_json;

/// Without what is for people, what happens before the model, and what timm has its own ways for:
/// an eps of next to nothing, and how a table is fitted to another size.
VitConfig as_timm_sees(VitConfig config) {
  const VitConfig defaults;
  config.architecture = defaults.architecture;
  config.family = defaults.family;
  config.input.preprocessing = defaults.input.preprocessing;
  if (config.block.norm.eps < 5e-6) config.block.norm.eps = 1e-6;
  // NaFlexVit fits its table to every picture.
  if (config.positions.table == Size2d())
    config.positions.resampling = defaults.positions.resampling;
  if (config.num_prefix_tokens() == 0 && config.positions.table == Size2d())
    config.positions.covers_prefix = defaults.positions.covers_prefix;
  return config;
}

/// Whether a class of timm has such a pooling.
bool has_pooling(TimmClass timm_class, Pooling pooling) {
  const bool plain = pooling == Pooling::cls || pooling == Pooling::avg || pooling == Pooling::none;
  switch (timm_class) {
    case TimmClass::beit:
    case TimmClass::relpos:
      return plain;
    case TimmClass::distilled:
      return pooling == Pooling::cls;
    default:
      return plain || pooling == Pooling::max || pooling == Pooling::avg_max ||
             pooling == Pooling::map;
  }
}

Json model_args(const TimmArguments& arguments, const TimmArguments& base) {
  Json args = Json::object();
  const unsigned own_class = class_bit(arguments.timm_class);
  for (const TimmField& field : timm_fields()) {
    if (!field.write || !(field.classes & own_class)) continue;
    const auto value = field.write(arguments);
    if (value && ((field.always & own_class) || value != field.write(base)))
      args[field.name] = *value;
  }
  return args;
}

/// What timm is told of the model, without preprocessing.
Json document(const VitConfig& c, const TimmModel& model) {
  return {{"architecture", model.base->name},
          {"num_classes", c.head.num_classes},
          {"num_features", c.embed_dim()},
          {"global_pool", timm_pooling_name(c.head.pooling)},
          {"model_args", model_args(model.arguments, model.base->arguments)}};
}

VitConfig read_back(const Json& root) {
  const auto parsed = parse_json(root.dump(), "config.json");
  return read_timm_config(JsonNode(parsed, "config.json")).vit;
}

/// `config` is as_timm_sees().
bool builds(const TimmModel& model, const VitConfig& config) {
  if (!has_pooling(model.arguments.timm_class, config.head.pooling) ||
      config.positions.computed() || !(as_timm_sees(timm_model(model.arguments)) == config))
    return false;
  // Some arguments cannot be said in a document, or only by the name of an architecture.
  try {
    return as_timm_sees(read_back(document(config, model))) == config;
  } catch (const Error&) {
    return false;
  }
}

/// What timm takes from the name of an architecture alone.
bool same_in_name(const VitConfig& a, const VitConfig& b) {
  return a.prefix.dist_token == b.prefix.dist_token && a.block.mlp.kind == b.block.mlp.kind &&
         (a.block.norm.eps > 5e-6) == (b.block.norm.eps > 5e-6);
}

/// Of class VisionTransformer, whose names say least.
const Architecture& nearest_architecture(const VitConfig& config) {
  const auto name = config.architecture.substr(0, config.architecture.find('.'));
  for (const auto& row : architecture_table())
    if (name == row.name && same_in_name(timm_model(row.arguments), config)) return row;
  return find_architecture(config.prefix.dist_token ? "deit_base_distilled_patch16_224"
                           : config.block.mlp.kind == MlpKind::swiglu_packed
                               ? "vit_giant_patch14_dinov2"
                           : config.block.norm.eps > 5e-6 ? "vit_base_patch16_clip_224"
                                                          : "vit_base_patch16_224");
}

/// Where the model differs from what the rest of the file says.
Json extension(const VitConfig& config, const Json& rest) {
  const VitConfig read = read_back(rest);
  Json own = Json::object();
  for (const ExtensionField& field : extension_fields())
    if (const Json value = field.write(config); !value.is_null() && value != field.write(read))
      own[field.name] = value;
  return own;
}

/// Throws Error if the file would be read as another model: a field that nothing writes.
void check_reads_back(VitConfig config, const Json& root) {
  const VitConfig read = read_back(root);
  config.architecture = read.architecture;  // for display
  if (!(config == read))
    fail("save: a config.json has no words for all that the model ", config.architecture, " is");
}

Json pretrained_cfg(const ModelConfig& config, TimmClass timm_class) {
  const PicturePreprocessing& p = config.vit.picture();
  const bool naflex = timm_class == TimmClass::naflex;
  Json cfg{{"input_size", {config.vit.input.channels, p.input_size.height, p.input_size.width}},
           {"fixed_input_size", !naflex}};
  cfg.update(timm_preprocessing_json(p));
  cfg["num_classes"] = config.vit.head.num_classes;
  cfg["first_conv"] = naflex ? "embeds.proj" : "patch_embed.proj";
  cfg["classifier"] =
      config.vit.head.token_heads == 2 ? Json::array({"head", "head_dist"}) : Json("head");
  return cfg;
}

}  // namespace

TimmModel timm_model_of(const VitConfig& config) {
  const VitConfig plain = as_timm_sees(config);
  const auto model_of = [&](const Architecture& base) {
    return TimmModel{&base, timm_arguments(plain, base.arguments), true};
  };
  // Usual ones first: the name is also what people see.
  for (const std::string& name :
       {config.architecture.substr(0, config.architecture.find('.')),
        std::string("vit_base_patch16_224"), std::string("vit_base_patch16_clip_224")})
    for (const auto& row : architecture_table())
      if (name == row.name)
        if (auto model = model_of(row); builds(model, plain)) return model;
  for (const auto& row : architecture_table())
    if (auto model = model_of(row); builds(model, plain)) return model;

  TimmModel nearest = model_of(nearest_architecture(config));
  nearest.exact = false;
  return nearest;
}

std::string timm_config_text(const ModelConfig& config) {
  const VitConfig& c = config.vit;
  const TimmModel model = timm_model_of(c);
  Json root = document(c, model);
  const Json args = root["model_args"];
  root.erase("model_args");
  if (!config.labels.empty()) root["label_names"] = config.labels;
  // timm has no word for it; the transformers library reads it in timm's files, too.
  if (config.scores) root["problem_type"] = problem_type_name(*config.scores);
  root["model_args"] = args;
  root["pretrained_cfg"] = pretrained_cfg(config, model.arguments.timm_class);
  if (const auto own = extension(c, root); !own.empty()) root["vitome"] = own;
  check_reads_back(c, root);
  return root.dump(1) + "\n";
}

std::string timm_obstacle(const VitConfig& config) {
  if (timm_model_of(config).exact) return "";
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
      {head.pooling == Pooling::cls_mean, "its head reads the mean of several class tokens"},
      {head.pooling == Pooling::cls_concat, "its head reads several class tokens together"},
      {config.input.normalized_inside, "it normalises its pixels itself"},
      {head.pooling == Pooling::map && head.attention_pool.kind == AttentionPoolKind::raw_query,
       "its attention pool does not project its query"},
      {config.prefix.dist_token && head.token_heads == 1,
       "it has a distillation token without a head of its own"},
      {config.prefix.cls_tokens > 1, "it has several class tokens"},
      {!head.bias && head.num_classes, "its head has no bias"},
      {config.patch.bias && config.pre_norm, "it has a bias in the patch embedding before a norm"},
      {!config.patch.bias && !config.pre_norm, "it has no bias in the patch embedding"},
      {config.patch.kernel != config.patch.stride, "its patches overlap"},
      {config.input.extent.frames != 1, "it takes clips of several frames"},
      {config.positions.computed(), "its positions are computed"},
      {head.norm_before && head.norm_after, "it has norms on both sides of the pooling"},
      {block.norm_place == NormPlace::post, "the norms of a block follow its sums"},
      {attention.has_qkv_bias() && !(attention.q_bias && attention.k_bias && attention.v_bias),
       "some of its queries, keys and values have no bias"},
      {attention.rotary && attention.rotary->class_angles, "its class token is rotated"},
      {attention.rotary.has_value(), "timm has no rotary positions with all its other parts"},
      {attention.relative_bias.has_value(),
       "timm has no relative position biases with all its other parts"},
      {block.norm.kind != NormKind::layer_norm, "timm has no RMS norms with all its other parts"},
  };
  for (const auto& [is_there, obstacle] : obstacles)
    if (is_there) return obstacle;
  return "timm has no class with all of its parts";
}

}  // namespace vit
