#include <ATen/ATen.h>

#include <vit/architecture_table.h>
#include <vit/error.h>
#include <vit/refused.h>
#include <vit/weights/json_values.h>
#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/presets.h>
#include <vit/weights/layouts/timm_names.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

// OpenAI's CLIP and OpenCLIP, whole or the vision tower alone, which may be timm's.
constexpr KeyRule kOpenClip[] = {
    {"visual.class_embedding", "cls_token"},
    {"visual.positional_embedding", "pos_embed"},
    {"visual.conv1", "patch_embed.proj"},
    {"visual.ln_pre", "norm_pre"},
    {"visual.transformer.resblocks.*.ln_1", "blocks.*.norm1"},
    {"visual.transformer.resblocks.*.ln_2", "blocks.*.norm2"},
    {"visual.transformer.resblocks.*.attn.in_proj_weight", "blocks.*.attn.qkv.weight"},
    {"visual.transformer.resblocks.*.attn.in_proj_bias", "blocks.*.attn.qkv.bias"},
    {"visual.transformer.resblocks.*.attn.out_proj", "blocks.*.attn.proj"},
    {"visual.transformer.resblocks.*.ls_1", "blocks.*.ls1"},
    {"visual.transformer.resblocks.*.ls_2", "blocks.*.ls2"},
    {"visual.transformer.resblocks.*.mlp.c_fc", "blocks.*.mlp.fc1"},
    {"visual.transformer.resblocks.*.mlp.c_proj", "blocks.*.mlp.fc2"},
    {"visual.ln_post", "norm"},
    {"visual.proj", "projection"},
    {"visual.head.proj", "head"},
    {"transformer", ""},  // the text tower
    {"token_embedding", ""},
    {"positional_embedding", ""},
    {"ln_final", ""},
    {"text_projection", ""},
    {"logit_scale", ""},
    {"logit_bias", ""},
    {"text", ""},
    {"input_resolution", ""},
    {"context_length", ""},
    {"vocab_size", ""},
};

bool detect(const StateDict& weights) {
  return weights.contains("visual.conv1.weight") ||
         weights.contains("visual.trunk.patch_embed.proj.weight");
}

StateDict to_timm(const StateDict& weights, const std::string& where) {
  auto renamed =
      timm_names(rename_and_pack(without_model_prefix(weights, where), kOpenClip, where), where);
  // OpenCLIP multiplies by its projection from the right.
  if (const auto projection = take(renamed, "projection"); projection.defined()) {
    if (projection.dim() != 2)
      fail(where, ": \"visual.proj\" has shape ", shape_text(projection.sizes()),
           ", expected two dims");
    renamed["head.weight"] = projection.t();
  }
  return renamed;
}

bool owns(std::string_view name) { return has_rule(name, kOpenClip); }

void apply_defaults(const StateDict& stored, VitConfig& config) {
  if (config.head.pooling == Pooling::map) {  // timm's
    config.family = "siglip";
    config.picture() = {
        .input_size = config.image_size(), .crop_mode = CropMode::squash, .crop_pct = 1.0};
    return;
  }
  config.block.norm.eps = 1e-5;
  // OpenAI's own files have these beside the weights. OpenCLIP prefers the usual GELU.
  config.block.mlp.activation =
      stored.contains("input_resolution") ? Activation::quick_gelu : Activation::gelu;
  config.family = "clip";
  prepare_as_clip(config);
}

void refuse_unsupported(const JsonNode& vision) {
  for (const char* key : refused_open_clip_fields())
    if (const auto found = vision.find(key); found && (found->is_string() || found->boolean()))
      found->fail("is not supported");
}

void read_pooling(const JsonNode& vision, VitConfig& vit) {
  if (const auto found = vision.find("pool_type"))
    vit.head.pooling = choose<Pooling>(
        *found, {{"tok", Pooling::cls}, {"avg", Pooling::avg}, {"none", Pooling::none}});
  // For the class token alone it makes no difference.
  vit.head.norm_after =
      flag(vision, "final_ln_after_pool", false) && vit.head.pooling == Pooling::avg;
  vit.head.norm_before = !vit.head.norm_after;
}

void read_tower(const JsonNode& model, const JsonNode& vision, VitConfig& vit) {
  refuse_unsupported(vision);
  vit.architecture = "open_clip";
  vit.set_image_size(parse_size(vision.at("image_size")));
  vit.patch.set_size(parse_size(vision.at("patch_size")));
  BlockConfig& block = vit.block;
  block.dim = count(vision.at("width"));
  const auto layers = vision.at("layers");
  if (layers.is_array()) layers.fail("is that of a ResNet, expected the depth of a transformer");
  vit.depth = count(layers);
  const auto head_width = vision.find("head_width");
  const int64_t width = head_width ? count(*head_width) : 64;
  if (width < 1) head_width->fail("must be positive");
  block.attention.num_heads = block.dim / width;
  const auto ratio = vision.find("mlp_ratio");
  const double mlp_ratio = ratio ? ratio->number() : 4.0;
  if (!(mlp_ratio > 0 && mlp_ratio <= 1000)) ratio->fail("is out of range, expected 0 to 1000");
  block.mlp.hidden_dim = mlp_hidden_dim(block.dim, mlp_ratio, TimmMlp::plain);
  vit.pre_norm = !flag(vision, "no_ln_pre", false);
  vit.patch.bias = false;
  block.layer_scale = vision.find("ls_init_value").has_value();
  block.norm.eps = 1e-5;
  if (const auto norm = vision.find("norm_kwargs"))
    if (const auto eps = norm->find("eps")) block.norm.eps = eps->number();
  block.mlp.activation =
      flag(model, "quick_gelu", false) ? Activation::quick_gelu : Activation::gelu;
  if (const auto act = vision.find("act_kwargs"))
    if (const auto kind = act->find("approximate"))
      block.mlp.activation =
          choose<Activation>(*kind, {{"tanh", Activation::gelu_tanh}, {"none", Activation::gelu}});
  read_pooling(vision, vit);
  vit.head.num_classes = count(model.at("embed_dim"));
  vit.head.bias = false;
}

ModelConfig timm_architecture(const JsonNode& name) {
  try {
    return find_architecture(name.string()).config();
  } catch (const Error& error) {
    name.fail(error.what());
  }
}

ModelConfig read_timm_tower(const JsonNode& model, const JsonNode& vision, const JsonNode& name) {
  auto config = timm_architecture(name);
  VitConfig& vit = config.vit;
  if (const auto size = vision.find("image_size")) vit.set_image_size(parse_size(*size));
  if (const auto pool = vision.find("timm_pool"); pool && !pool->string().empty())
    vit.head.pooling = choose<Pooling>(*pool, {{"token", Pooling::cls},
                                               {"avg", Pooling::avg},
                                               {"max", Pooling::max},
                                               {"avgmax", Pooling::avg_max},
                                               {"map", Pooling::map}});
  const auto projection = vision.find("timm_proj");
  const std::string kind = projection ? projection->string() : "linear";
  if (kind != "linear" && kind != "none" && !kind.empty())
    projection->fail("only \"linear\" and \"none\" are supported");
  vit.head.num_classes = kind == "none" ? 0 : count(model.at("embed_dim"));
  vit.head.bias = kind.empty() || flag(vision, "timm_proj_bias", false);
  return config;
}

/// A number for all channels, or one for each; empty or 0 is nothing.
void read_statistic(const JsonNode& node, std::vector<double>& values) {
  if (!node.is_array()) {
    if (const double value = node.number(); value != 0) values.assign(3, value);
  } else if (auto list = numbers(node); !list.empty()) {
    values = std::move(list);
  }
}

void read_preprocessing(const JsonNode& node, PicturePreprocessing& preprocessing) {
  if (const auto mean = node.find("mean")) read_statistic(*mean, preprocessing.mean);
  if (const auto std = node.find("std")) read_statistic(*std, preprocessing.std);
  if (const auto found = node.find("interpolation"))
    preprocessing.interpolation =
        choose<Interpolation>(*found, {{"bicubic", Interpolation::bicubic},
                                       {"bilinear", Interpolation::bilinear},
                                       {"random", Interpolation::bicubic},
                                       {"", Interpolation::bicubic}});
  if (const auto found = node.find("resize_mode"))
    preprocessing.crop_mode = choose<CropMode>(*found, {{"shortest", CropMode::center},
                                                        {"longest", CropMode::border},
                                                        {"squash", CropMode::squash},
                                                        {"", CropMode::center}});
  if (const auto found = node.find("fill_color");
      found && preprocessing.crop_mode == CropMode::border)
    preprocessing.fill.assign(3, found->integer(0, 255));
}

bool wrote(const JsonNode& root) { return root.find("model_cfg").has_value(); }

ModelConfig read_config(const JsonNode& root) {
  const auto model = root.at("model_cfg");
  const auto vision = model.at("vision_cfg");
  ModelConfig config;
  if (const auto name = vision.find("timm_model_name"))
    config = read_timm_tower(model, vision, *name);
  else
    read_tower(model, vision, config.vit);
  if (config.vit.family == "vit") config.vit.family = "clip";

  prepare_as_clip(config.vit);
  if (const auto node = root.find("preprocess_cfg"))
    read_preprocessing(*node, config.vit.picture());
  return config;
}

/// It gives the final norm the same name on either side of the pooling, timm does not.
void name_norm_by_place(const VitConfig& config, StateDict& weights) {
  if (!config.head.norm_after) return;
  for (const std::string part : {"weight", "bias"})
    if (auto norm = weights.extract("norm." + part)) {
      norm.key() = "fc_norm." + part;
      weights.insert(std::move(norm));
    }
}

}  // namespace

const Layout kOpenClipLayout{"open_clip", "OpenCLIP",  detect, to_timm,           apply_defaults,
                             wrote,       read_config, owns,   name_norm_by_place};

}  // namespace vit
