#include <functional>
#include <map>
#include <optional>
#include <set>

#include <vit/architecture_table.h>
#include <vit/weights/json_values.h>
#include <vit/weights/timm_config.h>

namespace vit {
namespace {

/// [channels, height, width]
struct InputSize {
  int64_t channels;
  Size2d size;
};

InputSize parse_input_size(const JsonNode& node) {
  const auto dims = node.elements();
  if (dims.size() != 3) node.fail("expected [channels, height, width]");
  return {count(dims[0]), {count(dims[1]), count(dims[2])}};
}

Pooling parse_pooling(const JsonNode& node) {
  return choose<Pooling>(node, {{"token", Pooling::cls},
                                {"avg", Pooling::avg},
                                {"max", Pooling::max},
                                {"avgmax", Pooling::avg_max},
                                {"map", Pooling::map},
                                {"", Pooling::none}});
}

/// Whether timm puts the final norm behind such a pooling unless told otherwise.
bool norms_after(Pooling pooling) {
  return pooling == Pooling::avg || pooling == Pooling::max || pooling == Pooling::avg_max;
}

/// What is known while the parts of the document are read; some values depend on several of them.
struct Draft {
  ModelConfig model;
  double mlp_ratio = 4;
  std::optional<bool> fc_norm;  ///< unset: as the pooling has it
  std::optional<JsonNode> activation;
  std::optional<JsonNode> padded;  ///< the option by which images are padded to whole patches

  explicit Draft(const Architecture& row) : model(row.config()), mlp_ratio(row.backbone.mlp_ratio) {
    // Average pooling without fc_norm is an explicit choice of an architecture.
    if (model.vit.pooling == Pooling::avg && !model.vit.fc_norm) fc_norm = false;
  }

  VitConfig& vit() { return model.vit; }
  ModelConfig finish();
};

using Setter = std::function<void(Draft&, const JsonNode&)>;

Setter set(bool VitConfig::*field) {
  return [field](Draft& draft, const JsonNode& node) { draft.vit().*field = node.boolean(); };
}

Setter set(int64_t VitConfig::*field) {
  return [field](Draft& draft, const JsonNode& node) { draft.vit().*field = count(node); };
}

Setter set(Size2d VitConfig::*field) {
  return [field](Draft& draft, const JsonNode& node) { draft.vit().*field = parse_size(node); };
}

/// An option that this library has only at one value.
Setter only(bool value) {
  return [value](Draft&, const JsonNode& node) {
    if (node.boolean() != value) node.fail("only ", value ? "true" : "false", " is supported");
  };
}

/// An option that this library does not have; null leaves it alone.
void only_null(Draft&, const JsonNode& node) { node.fail("is not supported"); }

const std::map<std::string, Setter>& model_arg_setters() {
  static const std::map<std::string, Setter> setters{
      {"img_size", set(&VitConfig::image_size)},
      {"patch_size", set(&VitConfig::patch_size)},
      {"in_chans", set(&VitConfig::in_channels)},
      {"num_classes", set(&VitConfig::num_classes)},
      {"embed_dim", set(&VitConfig::embed_dim)},
      {"depth", set(&VitConfig::depth)},
      {"num_heads", set(&VitConfig::num_heads)},
      {"reg_tokens", set(&VitConfig::reg_tokens)},
      {"class_token", set(&VitConfig::cls_token)},
      {"qkv_bias", set(&VitConfig::qkv_bias)},
      {"qk_norm", set(&VitConfig::qk_norm)},
      {"final_norm", set(&VitConfig::final_norm)},
      {"no_embed_class",
       [](Draft& draft, const JsonNode& node) {
         draft.vit().positions_for_prefix = !node.boolean();
       }},
      {"pre_norm",
       [](Draft& draft, const JsonNode& node) {
         draft.vit().pre_norm = node.boolean();
         draft.vit().patch_bias = !draft.vit().pre_norm;  // which that norm would cancel
       }},
      {"fc_norm", [](Draft& draft, const JsonNode& node) { draft.fc_norm = node.boolean(); }},
      {"global_pool",
       [](Draft& draft, const JsonNode& node) { draft.vit().pooling = parse_pooling(node); }},
      {"init_values",
       [](Draft& draft, const JsonNode& node) {
         node.number();
         draft.vit().layer_scale = true;
       }},
      {"mlp_ratio",
       [](Draft& draft, const JsonNode& node) {
         draft.mlp_ratio = node.number();
         if (!(draft.mlp_ratio > 0 && draft.mlp_ratio <= 1000))
           node.fail(draft.mlp_ratio, " is out of range, expected above 0 and at most 1000");
       }},
      {"mlp_layer",
       [](Draft& draft, const JsonNode& node) {
         draft.vit().mlp = choose<MlpKind>(
             node, {{"mlp", MlpKind::plain}, {"swiglu_packed", MlpKind::swiglu_packed}});
       }},
      {"act_layer", [](Draft& draft, const JsonNode& node) { draft.activation = node; }},
      {"norm_layer",
       [](Draft& draft, const JsonNode& node) {
         draft.vit().norm_eps =
             choose<double>(node, {{"layernorm", 1e-6}, {"layernormfp32", 1e-6}});
       }},
      {"pos_embed",
       [](Draft& draft, const JsonNode& node) {
         // timm has learned tables or none; the sinusoids are for the other families.
         draft.vit().positions = choose<Positions>(node, {{"learn", Positions::learned},
                                                          {"none", Positions::none},
                                                          {"", Positions::none},
                                                          {"sincos_1d", Positions::sincos_1d},
                                                          {"sincos_2d", Positions::sincos_2d}});
       }},
      {"proj_bias", only(true)},
      {"scale_attn_norm", only(false)},
      {"scale_mlp_norm", only(false)},
      {"pool_include_prefix", set(&VitConfig::pool_prefix)},
      {"dynamic_img_pad",
       [](Draft& draft, const JsonNode& node) {
         // Where the patches cover the image there is nothing to pad.
         if (node.boolean()) draft.padded = node;
       }},
      {"attn_layer", only_null},
      {"block_fn", only_null},
      {"embed_layer", only_null},
      {"embed_norm_layer", only_null},
  };
  return setters;
}

/// What timm's models take but only training or the way of calling them feels.
const std::set<std::string>& harmless_model_args() {
  static const std::set<std::string> names{"drop_rate",      "pos_drop_rate",  "patch_drop_rate",
                                           "proj_drop_rate", "attn_drop_rate", "drop_path_rate",
                                           "weight_init",    "fix_init",       "dynamic_img_size"};
  return names;
}

void read_model_args(const JsonNode& node, Draft& draft) {
  const auto args = node.members();
  for (const auto& [name, value] : args) {
    if (harmless_model_args().contains(name)) continue;
    const auto setter = model_arg_setters().find(name);
    if (setter == model_arg_setters().end())
      node.fail("the option \"", shortened(name), "\" is unknown or not supported");
    if (value.is_null()) {
      // To timm null is "no layer scale" or "as the pooling has it", else "the usual".
      if (name == "init_values") draft.vit().layer_scale = false;
      if (name == "fc_norm") draft.fc_norm.reset();
    } else {
      setter->second(draft, value);
    }
  }
}

ModelConfig Draft::finish() {
  VitConfig& c = vit();
  if (activation && c.mlp == MlpKind::swiglu_packed)
    choose<MlpKind>(*activation, {{"silu", MlpKind::swiglu_packed}});
  else if (activation)
    c.activation = choose<Activation>(*activation, {{"gelu", Activation::gelu},
                                                    {"gelu_tanh", Activation::gelu_tanh},
                                                    {"quick_gelu", Activation::quick_gelu}});
  const bool whole = c.patch_size.height > 0 && c.patch_size.width > 0 &&
                     c.image_size.height % c.patch_size.height == 0 &&
                     c.image_size.width % c.patch_size.width == 0;
  if (padded && !whole)
    padded->fail(
        "padding an image to whole patches is not supported; choose an img_size that is a "
        "multiple of patch_size");
  c.mlp_hidden_dim = mlp_hidden_dim(c.embed_dim, mlp_ratio, c.mlp);
  c.fc_norm = c.final_norm && fc_norm.value_or(norms_after(c.pooling));
  model.preprocessing.input_size = c.image_size;
  return std::move(model);
}

std::vector<double> parse_per_channel(const JsonNode& node, int64_t channels) {
  std::vector<double> values = numbers(node);
  // One value stands for all channels.
  if (values.size() == 1 && channels > 1 && channels <= 4096)
    values.resize(static_cast<size_t>(channels), values[0]);
  return values;
}

void read_preprocessing(const JsonNode& cfg, int64_t channels, Preprocessing& preprocessing) {
  if (const auto node = cfg.find("mean")) preprocessing.mean = parse_per_channel(*node, channels);
  if (const auto node = cfg.find("std")) preprocessing.std = parse_per_channel(*node, channels);
  if (const auto node = cfg.find("crop_pct")) preprocessing.crop_pct = node->number();
  if (const auto node = cfg.find("crop_mode"))
    preprocessing.crop_mode =
        choose<CropMode>(*node, {{"center", CropMode::center}, {"squash", CropMode::squash}});
  if (const auto node = cfg.find("interpolation"))
    preprocessing.interpolation = choose<Interpolation>(
        *node, {{"bicubic", Interpolation::bicubic}, {"bilinear", Interpolation::bilinear}});
}

/// `label_names`: a list, or an object from class index to name where there are gaps;
/// `label_descriptions`: an object from name to a longer text, which is the better label.
std::vector<std::string> read_labels(const JsonNode& root, int64_t num_classes) {
  std::vector<std::string> labels;
  const auto put = [&](int64_t index, const std::string& name) {
    if (index < 0 || index >= num_classes) return;
    if (static_cast<size_t>(index) >= labels.size()) labels.resize(static_cast<size_t>(index) + 1);
    labels[static_cast<size_t>(index)] = name;
  };
  const auto names = root.find("label_names");
  const auto descriptions = root.find("label_descriptions");
  if (names && names->is_array()) {
    int64_t index = 0;
    for (const auto& element : names->elements()) put(index++, element.string());
  } else if (names) {
    for (const auto& [index, name] : names->members())
      put(parse_index(index, *names), name.string());
  } else if (descriptions) {
    // Without a list the names order the classes, as the synsets of ImageNet do.
    int64_t index = 0;
    for (const auto& [name, description] : descriptions->members()) put(index++, name);
  }
  if (descriptions)
    for (auto& label : labels)
      if (const auto description = descriptions->find(label)) label = description->string();
  return labels;
}

const Architecture& read_architecture(const JsonNode& root) {
  const auto name = root.find("architecture");
  if (!name) root.fail("\"architecture\" is missing: nothing says what the model is");
  const std::string& text = name->string();
  try {
    return find_architecture(text);
  } catch (const Error& error) {
    root.fail(error.what());
  }
}

/// What a checkpoint was trained as, by the tag of its name: "vit_base_patch16_224.mae". Tells
/// where the architecture is a plain ViT.
void read_family(const JsonNode& root, VitConfig& vit) {
  if (vit.family != "vit") return;
  const std::string& name = root.at("architecture").string();
  std::string tag = name.find('.') == name.npos ? "" : name.substr(name.find('.') + 1);
  if (const auto pretrained = root.find("pretrained_cfg"); pretrained && tag.empty())
    if (const auto node = pretrained->find("tag"); node && node->is_string()) tag = node->string();
  for (const char* family : {"augreg", "mae", "dino", "ijepa"})
    if (tag.starts_with(family) || tag.find(std::string("_") + family) != tag.npos)
      vit.family = family;
}

/// What timm has no word for, as timm_config_text() writes it.
void read_extension(const JsonNode& node, VitConfig& vit) {
  if (const auto value = node.find("norm_eps")) vit.norm_eps = value->number();
  if (const auto value = node.find("global_pool"))
    vit.pooling = choose<Pooling>(*value, {{"cls_avg", Pooling::cls_avg}});
  if (const auto value = node.find("resampling"))
    vit.resampling = choose<Resampling>(*value, {{"bicubic", Resampling::bicubic}});
  if (const auto value = node.find("family")) vit.family = shortened(value->string());
  if (const auto value = node.find("dist_head")) vit.dist_head = value->boolean();
  if (const auto value = node.find("head_bias")) vit.head_bias = value->boolean();
  if (const auto value = node.find("patch_bias")) vit.patch_bias = value->boolean();
}

}  // namespace

ModelConfig read_timm_config(const JsonNode& root) {
  Draft draft(read_architecture(root));
  VitConfig& vit = draft.vit();

  // The later ones win, as in timm: the checkpoint's config, the document, the model's arguments.
  const auto pretrained = root.find("pretrained_cfg");
  if (pretrained) {
    if (const auto node = pretrained->find("input_size")) {
      const auto input = parse_input_size(*node);
      vit.in_channels = input.channels;
      vit.image_size = input.size;
    }
    if (const auto node = pretrained->find("num_classes")) vit.num_classes = count(*node);
    if (const auto node = pretrained->find("global_pool")) vit.pooling = parse_pooling(*node);
  }
  if (const auto node = root.find("num_classes")) vit.num_classes = count(*node);
  if (const auto node = root.find("global_pool")) vit.pooling = parse_pooling(*node);
  if (const auto node = root.find("model_args")) read_model_args(*node, draft);

  if (pretrained) read_preprocessing(*pretrained, vit.in_channels, draft.model.preprocessing);
  draft.model.labels = read_labels(root, vit.num_classes);
  auto config = draft.finish();
  read_family(root, config.vit);
  if (const auto node = root.find("vitome")) read_extension(*node, config.vit);
  return config;
}

}  // namespace vit
