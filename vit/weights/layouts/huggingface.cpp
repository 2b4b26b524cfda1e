#include <cmath>
#include <optional>

#include <ATen/ATen.h>

#include <vit/weights/json_values.h>
#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/presets.h>
#include <vit/weights/layouts/problem_type.h>

namespace vit {
namespace {

// ViT, DeiT and DINOv2 of the transformers library, after their model prefix.
constexpr KeyRule kHuggingface[] = {
    {"embeddings.cls_token", "cls_token"},
    {"embeddings.distillation_token", "dist_token"},
    {"embeddings.register_tokens", "reg_token"},
    {"embeddings.mask_token", ""},
    {"decoder", ""},  // of masked training
    {"embeddings.position_embeddings", "pos_embed"},
    {"embeddings.patch_embeddings.projection", "patch_embed.proj"},
    {"encoder.layer.*.attention.attention.query", "blocks.*.attn.q"},
    {"encoder.layer.*.attention.attention.key", "blocks.*.attn.k"},
    {"encoder.layer.*.attention.attention.value", "blocks.*.attn.v"},
    {"encoder.layer.*.attention.output.dense", "blocks.*.attn.proj"},
    {"encoder.layer.*.layernorm_before", "blocks.*.norm1"},
    {"encoder.layer.*.layernorm_after", "blocks.*.norm2"},
    {"encoder.layer.*.intermediate.dense", "blocks.*.mlp.fc1"},
    {"encoder.layer.*.output.dense", "blocks.*.mlp.fc2"},
    {"encoder.layer.*.norm1", "blocks.*.norm1"},
    {"encoder.layer.*.norm2", "blocks.*.norm2"},
    {"encoder.layer.*.layer_scale1.lambda1", "blocks.*.ls1.gamma"},
    {"encoder.layer.*.layer_scale2.lambda1", "blocks.*.ls2.gamma"},
    {"encoder.layer.*.mlp.fc1", "blocks.*.mlp.fc1"},
    {"encoder.layer.*.mlp.fc2", "blocks.*.mlp.fc2"},
    {"encoder.layer.*.mlp.weights_in", "blocks.*.mlp.fc1"},
    {"encoder.layer.*.mlp.weights_out", "blocks.*.mlp.fc2"},
    // As the modules have been called since version 5; save_pretrained() writes the names above.
    {"layers.*.attention.q_proj", "blocks.*.attn.q"},
    {"layers.*.attention.k_proj", "blocks.*.attn.k"},
    {"layers.*.attention.v_proj", "blocks.*.attn.v"},
    {"layers.*.attention.o_proj", "blocks.*.attn.proj"},
    {"layers.*.layernorm_before", "blocks.*.norm1"},
    {"layers.*.layernorm_after", "blocks.*.norm2"},
    {"layers.*.mlp", "blocks.*.mlp"},
    {"encoder.layer.*.attention.q_proj", "blocks.*.attn.q"},
    {"encoder.layer.*.attention.k_proj", "blocks.*.attn.k"},
    {"encoder.layer.*.attention.v_proj", "blocks.*.attn.v"},
    {"encoder.layer.*.attention.o_proj", "blocks.*.attn.proj"},
    {"encoder.layer.*.mlp.gate_proj", "blocks.*.mlp.gate"},
    {"encoder.layer.*.mlp.up_proj", "blocks.*.mlp.up"},
    {"encoder.layer.*.mlp.down_proj", "blocks.*.mlp.fc2"},
    {"layernorm", "norm"},
    {"pooler", ""},  // for sentence-like tasks; no classifier reads it
    {"classifier", "head"},
    {"cls_classifier", "head"},
    {"distillation_classifier", "head_dist"},
};

bool detect(const StateDict& weights) {
  return has_in_model(weights, "embeddings.patch_embeddings.projection.weight");
}

StateDict to_timm(const StateDict& weights, const std::string& where) {
  auto renamed = rename_and_pack(without_model_prefix(weights, where), kHuggingface, where);
  fold_class_position(renamed);
  return renamed;
}

bool owns(std::string_view name) { return has_rule(name, kHuggingface); }

void apply_defaults(const StateDict&, VitConfig& config) {
  config.block.norm.eps = config.block.layer_scale ? 1e-6 : 1e-12;
  config.positions.resampling =
      config.prefix.reg_tokens ? Resampling::bicubic_antialias : Resampling::bicubic;
  config.family = config.block.layer_scale ? "dinov2" : config.prefix.dist_token ? "deit" : "vit";
  prepare_as_huggingface(config, config.family);
}

/// What a head adds to the bare model, by the class that wrote the file.
enum class Head { none, classes, classes_with_teacher, projection };

Head read_head(const JsonNode& root, const JsonNode& model) {
  const auto names = root.find("architectures");
  if (!names) {
    // Nothing names the class; labels are there for a classifier alone.
    return root.find("id2label") ? Head::classes : Head::none;
  }
  const auto list = names->elements();
  if (list.size() != 1) names->fail("expected the name of one class");
  const std::string& name = list[0].string();
  const auto is_any_of = [&](std::initializer_list<std::string_view> classes) {
    for (const auto known : classes)
      if (name == known) return true;
    return false;
  };
  if (is_any_of({"ViTModel", "ViTForMaskedImageModeling", "DeiTModel", "DeiTForMaskedImageModeling",
                 "Dinov2Model", "Dinov2Backbone", "Dinov2WithRegistersModel",
                 "Dinov2WithRegistersBackbone", "CLIPVisionModel", "SiglipVisionModel",
                 "SiglipModel", "ViTMAEModel", "ViTMAEForPreTraining", "ViTMSNModel",
                 "IJepaModel"}))
    return Head::none;
  if (is_any_of({"ViTForImageClassification", "DeiTForImageClassification",
                 "Dinov2ForImageClassification", "Dinov2WithRegistersForImageClassification",
                 "CLIPForImageClassification", "SiglipForImageClassification",
                 "ViTMSNForImageClassification", "IJepaForImageClassification"}))
    return Head::classes;
  if (is_any_of({"DeiTForImageClassificationWithTeacher"})) return Head::classes_with_teacher;
  if (is_any_of({"CLIPVisionModelWithProjection", "CLIPModel"})) return Head::projection;
  model.fail("the class \"", shortened(name), "\" is not supported; supported are the bare models ",
             "of ViT, DeiT, Dinov2, CLIP, Siglip, ViTMAE, ViTMSN and IJepa, their classifiers, ",
             "and CLIP's projection");
}

Activation read_activation(const JsonNode& node) {
  return choose<Activation>(node, {{"gelu", Activation::gelu},
                                   {"gelu_python", Activation::gelu},
                                   {"quick_gelu", Activation::quick_gelu},
                                   {"gelu_pytorch_tanh", Activation::gelu_tanh},
                                   {"gelu_new", Activation::gelu_tanh},
                                   {"gelu_fast", Activation::gelu_tanh}});
}

void optional_count(const JsonNode& node, const char* key, int64_t& value) {
  if (const auto found = node.find(key)) value = count(*found);
}

/// The fields that all these models spell alike; `vit` holds the library's defaults.
void read_common(const JsonNode& node, VitConfig& vit) {
  BlockConfig& block = vit.block;
  if (const auto found = node.find("image_size")) vit.set_image_size(parse_size(*found));
  if (const auto found = node.find("patch_size")) vit.patch.set_size(parse_size(*found));
  optional_count(node, "num_channels", vit.input.channels);
  optional_count(node, "hidden_size", block.dim);
  optional_count(node, "num_hidden_layers", vit.depth);
  optional_count(node, "num_attention_heads", block.attention.num_heads);
  optional_count(node, "intermediate_size", block.mlp.hidden_dim);
  if (const auto found = node.find("hidden_act")) block.mlp.activation = read_activation(*found);
  if (const auto found = node.find("layer_norm_eps")) block.norm.eps = found->number();
  if (const auto found = node.find("qkv_bias")) block.attention.set_qkv_bias(found->boolean());
}

/// id2label names the classes and is all that says how many there are.
void read_labels(const JsonNode& root, ModelConfig& config) {
  const auto names = root.find("id2label");
  constexpr int64_t kLibraryDefault = 2;
  if (!names) {
    config.vit.head.num_classes = kLibraryDefault;
    optional_count(root, "num_labels", config.vit.head.num_classes);
    return;
  }
  const auto members = names->members();
  config.vit.head.num_classes = static_cast<int64_t>(members.size());
  config.labels.resize(members.size());
  bool generic = true;
  for (const auto& [key, name] : members) {
    const int64_t index = parse_index(key, *names);
    if (index >= config.vit.head.num_classes)
      names->fail("class ", index, " of ", members.size(), ": the numbers have gaps");
    config.labels[static_cast<size_t>(index)] = name.string();
    generic = generic && name.string() == "LABEL_" + key;
  }
  // "LABEL_7" is what the library writes where nobody gave names.
  if (generic) config.labels.clear();
}

/// ViT and what differs from it in its training alone.
void read_vit(const JsonNode& root, ModelConfig& config, const std::string& type) {
  VitConfig& vit = config.vit;
  vit.block.norm.eps = type == "vit_msn" ? 1e-6 : 1e-12;
  if (type == "ijepa") {
    vit.prefix.cls_tokens = 0;
    vit.head.pooling = Pooling::avg;
  }
  read_common(root, vit);
}

void read_deit(const JsonNode& root, ModelConfig& config, Head head) {
  VitConfig& vit = config.vit;
  vit.block.norm.eps = 1e-12;
  vit.prefix.dist_token = true;
  vit.head.token_heads = head == Head::classes_with_teacher ? 2 : 1;
  read_common(root, vit);
}

void read_dinov2(const JsonNode& root, ModelConfig& config, bool registers, Head head) {
  VitConfig& vit = config.vit;
  vit.block.layer_scale = true;
  read_common(root, vit);
  MlpConfig& mlp = vit.block.mlp;
  double ratio = 4;
  if (const auto found = root.find("mlp_ratio")) ratio = found->number();
  if (!(ratio > 0 && ratio <= 1000)) root.fail("mlp_ratio is ", ratio, ", expected 0 to 1000");
  mlp.hidden_dim = static_cast<int64_t>(static_cast<double>(vit.embed_dim()) * ratio);
  if (const auto found = root.find("use_swiglu_ffn"); found && found->boolean()) {
    mlp.kind = MlpKind::swiglu_packed;
    // Two thirds of the plain width, rounded up to a multiple of eight.
    mlp.hidden_dim = (mlp.hidden_dim * 2 / 3 + 7) / 8 * 8;
  }
  if (registers) {
    vit.prefix.reg_tokens = 4;
    optional_count(root, "num_register_tokens", vit.prefix.reg_tokens);
    vit.positions.covers_prefix = vit.prefix.reg_tokens == 0;
    vit.positions.resampling = Resampling::bicubic_antialias;
  }
  if (head == Head::classes) vit.head.pooling = Pooling::cls_avg;
  // It takes pictures of any size, and the preprocessor says of which its classifiers want them.
  config.sized_by_preprocessor = true;
}

void read_clip(const JsonNode& root, const JsonNode& tower, ModelConfig& config, Head head) {
  VitConfig& vit = config.vit;
  HeadConfig& classifier = vit.head;
  vit.patch.set_size({32, 32});
  vit.pre_norm = true;
  vit.patch.bias = false;
  vit.block.mlp.activation = Activation::quick_gelu;
  vit.block.norm.eps = 1e-5;
  read_common(tower, vit);
  classifier.num_classes = 0;
  if (head == Head::projection) {
    classifier.num_classes = 512;
    classifier.bias = false;
    optional_count(tower, "projection_dim", classifier.num_classes);
    optional_count(root, "projection_dim", classifier.num_classes);
  } else if (head == Head::classes) {
    // The library's classifier reads the mean of the patch tokens before the final norm.
    classifier.pooling = Pooling::avg;
    classifier.norm_before = false;
    config.unread_tensors = {"norm."};
  }
}

void read_siglip(const JsonNode& tower, ModelConfig& config, Head head) {
  VitConfig& vit = config.vit;
  vit.prefix.cls_tokens = 0;
  vit.head.pooling = Pooling::map;
  vit.block.mlp.activation = Activation::gelu_tanh;
  read_common(tower, vit);
  if (!flag(tower, "vision_use_head", true)) vit.head.pooling = Pooling::none;
  if (head == Head::classes) vit.head.pooling = Pooling::avg;
  config.unread_tensors = {"attn_pool."};  // which the classifier's files hold all the same
}

/// "clip" of "clip_vision_model" and so on.
std::string family_of(const std::string& type) {
  for (const char* suffix : {"_vision_model", "_with_registers"})
    if (type.ends_with(suffix)) return type.substr(0, type.size() - std::string(suffix).size());
  return type.starts_with("vit_") ? type.substr(4) : type;
}

/// The vision part of a model of text and images; the document itself for a tower alone.
JsonNode vision_part(const JsonNode& root, bool whole) {
  return whole ? root.at("vision_config") : root;
}

/// The transformers library wraps timm's models in what timm writes itself.
bool wrote(const JsonNode& root) {
  const auto type = root.find("model_type");
  return type && type->string() != "timm_wrapper";
}

ModelConfig read_config(const JsonNode& root) {
  const auto model_type = root.at("model_type");
  const std::string& type = model_type.string();
  const Head head = read_head(root, model_type);

  ModelConfig config;
  config.vit.head.num_classes = 0;
  config.vit.positions.resampling = Resampling::bicubic;
  if (type == "vit" || type == "vit_mae" || type == "vit_msn" || type == "ijepa") {
    read_vit(root, config, type);
  } else if (type == "deit") {
    read_deit(root, config, head);
  } else if (type == "dinov2" || type == "dinov2_with_registers") {
    read_dinov2(root, config, type != "dinov2", head);
  } else if (type == "clip_vision_model" || type == "clip") {
    read_clip(root, vision_part(root, type == "clip"), config, head);
  } else if (type == "siglip_vision_model" || type == "siglip") {
    read_siglip(vision_part(root, type == "siglip"), config, head);
  } else {
    model_type.fail("\"", shortened(type),
                    "\" is not supported, expected one of \"vit\", \"deit\", \"dinov2\", ",
                    "\"dinov2_with_registers\", \"clip_vision_model\", \"clip\", ",
                    "\"siglip_vision_model\", \"siglip\", \"vit_mae\", \"vit_msn\", \"ijepa\"");
  }
  if (head == Head::classes || head == Head::classes_with_teacher) read_labels(root, config);
  config.scores = read_problem_type(root, config.vit.head.num_classes);
  config.vit.architecture = type;
  config.vit.family = family_of(type);
  prepare_as_huggingface(config.vit, type);
  return config;
}

}  // namespace

const Layout kHuggingfaceLayout{"huggingface",  "transformers", detect,      to_timm,
                                apply_defaults, wrote,          read_config, owns};

}  // namespace vit
