#include <ATen/ATen.h>

#include <vit/weights/json_values.h>
#include <vit/weights/layouts/huggingface_config.h>
#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/presets.h>

namespace vit {
namespace {

// CLIP, SigLIP and their kin in the transformers library, after their model prefix.
constexpr KeyRule kHuggingfaceClip[] = {
    {"text_model", ""},
    {"text_projection", ""},
    {"logit_scale", ""},
    {"logit_bias", ""},
    {"embeddings.class_embedding", "cls_token"},
    {"embeddings.position_embedding.weight", "pos_embed"},
    {"embeddings.position_embedding", "pos_embed"},  // BLIP
    {"embeddings.position_ids", ""},
    {"embeddings.patch_embedding", "patch_embed.proj"},
    {"pre_layrnorm", "norm_pre"},
    {"pre_layernorm", "norm_pre"},      // OWL-ViT
    {"class_pos_emb", "class_angles"},  // MLCD
    {"encoder.layers.*.self_attn.q_proj", "blocks.*.attn.q"},
    {"encoder.layers.*.self_attn.k_proj", "blocks.*.attn.k"},
    {"encoder.layers.*.self_attn.v_proj", "blocks.*.attn.v"},
    {"encoder.layers.*.self_attn.out_proj", "blocks.*.attn.proj"},
    {"encoder.layers.*.self_attn.qkv", "blocks.*.attn.qkv"},
    {"encoder.layers.*.self_attn.projection", "blocks.*.attn.proj"},
    {"encoder.layers.*.layer_norm1", "blocks.*.norm1"},
    {"encoder.layers.*.layer_norm2", "blocks.*.norm2"},
    {"encoder.layers.*.mlp", "blocks.*.mlp"},
    // AltCLIP, in files alone.
    {"encoder.layer.*.self_attn.q_proj", "blocks.*.attn.q"},
    {"encoder.layer.*.self_attn.k_proj", "blocks.*.attn.k"},
    {"encoder.layer.*.self_attn.v_proj", "blocks.*.attn.v"},
    {"encoder.layer.*.self_attn.out_proj", "blocks.*.attn.proj"},
    {"encoder.layer.*.layer_norm1", "blocks.*.norm1"},
    {"encoder.layer.*.layer_norm2", "blocks.*.norm2"},
    {"encoder.layer.*.mlp", "blocks.*.mlp"},
    {"post_layernorm", "norm"},
    {"head.probe", "attn_pool.latent"},
    {"head.attention.in_proj_weight", "attn_pool.qkv.weight"},
    {"head.attention.in_proj_bias", "attn_pool.qkv.bias"},
    {"head.attention.out_proj", "attn_pool.proj"},
    {"head.layernorm", "attn_pool.norm"},
    {"head.mlp", "attn_pool.mlp"},
    {"visual_projection.visual_projection", ""},  // GIT: for its language model
    {"visual_projection", "head"},
    {"classifier", "head"},
    // What BLIP, GIT and OWL-ViT have beside their encoders of pictures.
    {"text_encoder", ""},
    {"text_decoder", ""},
    {"text_proj", ""},
    {"vision_proj", ""},
    {"vision_projection", ""},
    {"itm_head", ""},
    {"qformer", ""},
    {"query_tokens", ""},
    {"language_model", ""},
    {"language_projection", ""},
    {"git", ""},
    {"output", ""},
    {"owlvit.visual_projection", "head"},
    {"owlv2.visual_projection", "head"},
    {"owlvit", ""},
    {"owlv2", ""},
    {"class_head", ""},
    {"box_head", ""},
    {"objectness_head", ""},
    {"layer_norm", ""},
};

bool detect(const StateDict& weights) {
  return has_in_model(weights, "embeddings.patch_embedding.weight");
}

/// BLIP norms its class token twice, with the same weights; its attention is packed.
void repeat_norm(const StateDict& stored, StateDict& weights) {
  if (!has_in_model(stored, "encoder.layers.0.self_attn.qkv.weight")) return;
  for (const std::string part : {"weight", "bias"})
    if (const auto norm = weights.find("norm." + part); norm != weights.end())
      weights.emplace("fc_norm." + part, norm->second);
}

/// MLCD has learned angles of the class token, the same in all blocks.
void share_class_angles(StateDict& weights) {
  const auto angles = take(weights, "class_angles");
  if (!angles.defined()) return;
  constexpr std::string_view kProjection = "qkv.weight";
  StateDict of_blocks;
  for (const auto& [name, tensor] : weights)
    if (name.starts_with("blocks.") && name.ends_with(kProjection))
      of_blocks.emplace(name.substr(0, name.size() - kProjection.size()) + "class_angles",
                        angles.flatten());
  weights.merge(of_blocks);
}

StateDict to_timm(const StateDict& weights, const std::string& where) {
  auto renamed = rename_and_pack(without_model_prefix(weights, where), kHuggingfaceClip, where);
  repeat_norm(weights, renamed);
  share_class_angles(renamed);
  return renamed;
}

bool owns(std::string_view name) { return has_rule(name, kHuggingfaceClip); }

void set_rotary(VitConfig& vit) {
  vit.family = "mlcd";
  vit.positions = {};
  vit.positions.kind = PositionKind::none;
  vit.block.mlp.activation = Activation::gelu;
  vit.block.attention.rotary = RotaryConfig{.layout = RotaryLayout::half, .class_angles = true};
}

/// As BLIP norms its class token.
void set_norms(VitConfig& vit) {
  vit.head.norm_before = vit.head.norm_after = true;
  vit.head.pooling = Pooling::cls;
}

void apply_defaults(const StateDict& stored, VitConfig& config) {
  config.block.norm.eps = config.pre_norm ? 1e-5 : 1e-6;
  config.block.mlp.activation = config.pre_norm ? Activation::quick_gelu : Activation::gelu_tanh;
  config.positions.resampling = Resampling::bicubic;
  config.family = config.pre_norm ? "clip" : "siglip";
  if (has_in_model(stored, "class_pos_emb")) set_rotary(config);
  if (has_in_model(stored, "encoder.layers.0.self_attn.qkv.weight")) {
    config.family = "blip";
    config.block.norm.eps = 1e-5;
    config.block.mlp.activation = Activation::gelu;
    set_norms(config);
  }
  prepare_as_huggingface(config, config.family);
}

}  // namespace

namespace huggingface {

void read_clip(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  HeadConfig& head = vit.head;
  const std::string_view type = document.type;
  if (type.starts_with("owl")) vit.set_image_size({768, 768});
  if (!type.starts_with("git") && !type.starts_with("owlv2")) vit.patch.set_size({32, 32});
  vit.pre_norm = true;
  vit.patch.bias = false;
  vit.block.mlp.activation = Activation::quick_gelu;
  vit.block.norm.eps = 1e-5;
  read_common(document.model, vit);
  if (document.head == Head::projection) {
    read_projection(document, head);
  } else if (document.head == Head::classes) {
    // The library's classifier reads the mean of the patch tokens before the final norm.
    head.pooling = Pooling::avg;
    head.norm_before = false;
    config.unread_tensors = {"norm."};
  }
}

void read_blip(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  const bool second = document.type == "blip-2" || document.type == "blip_2_vision_model";
  if (second) {
    set_sizes(vit, 1408, 39, 16, 6144);
    vit.patch.set_size({14, 14});
  } else {
    vit.set_image_size({384, 384});
    vit.block.norm.eps = 1e-5;
  }
  read_common(document.model, vit);
  if (!second) vit.block.attention.set_qkv_bias(true);  // it has no such field
  set_norms(vit);
  if (document.head == Head::projection) read_projection(document, vit.head);
}

void read_mlcd(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  const JsonNode& model = document.model;
  set_sizes(vit, 1664, 48, 16, 8192);
  vit.set_image_size({336, 336});
  vit.patch.set_size({14, 14});
  vit.pre_norm = true;
  vit.patch.bias = false;
  vit.block.norm.eps = 1e-5;
  set_rotary(vit);
  read_common(model, vit);
  if (const auto node = model.find("num_key_value_groups"); node && count(*node) != 1)
    node->fail("expected 1");
  if (const auto rope = model.find("rope_parameters")) {
    if (const auto node = rope->find("rope_type")) choose<bool>(*node, {{"axial", true}});
    if (const auto node = rope->find("rope_theta")) {
      vit.block.attention.rotary->base = node->number();
      if (!(vit.block.attention.rotary->base > 0)) node->fail("expected a number above 0");
    }
  }
  config.sized_by_preprocessor = true;
}

void read_siglip(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  vit.prefix.cls_tokens = 0;
  vit.head.pooling = Pooling::map;
  vit.block.mlp.activation = Activation::gelu_tanh;
  read_common(document.model, vit);
  if (!flag(document.model, "vision_use_head", true)) vit.head.pooling = Pooling::none;
  if (document.head == Head::classes) vit.head.pooling = Pooling::avg;
  config.unread_tensors = {"attn_pool."};  // which the classifier's files hold all the same
}

}  // namespace huggingface

// Its config is read by kHuggingfaceLayout.
const Layout kHuggingfaceClipLayout{"huggingface_clip", "transformers", detect,  to_timm,
                                    apply_defaults,     nullptr,        nullptr, owns};

}  // namespace vit
