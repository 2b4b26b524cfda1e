#include <ATen/ATen.h>

#include <vit/weights/layouts/huggingface_config.h>
#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/presets.h>

namespace vit {
namespace {

// ViT and its kin in the transformers library, after their model prefix.
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
    // BEiT, Data2Vec and InternVL. What its buffers hold is computed.
    {"encoder.layer.*.lambda_1", "blocks.*.ls1.gamma"},
    {"encoder.layer.*.lambda_2", "blocks.*.ls2.gamma"},
    {"encoder.layer.*.attention.attention.relative_position_bias.relative_position_index", ""},
    {"encoder.layer.*.attention.attention.relative_position_bias", "blocks.*.attn"},
    {"encoder.relative_position_bias.relative_position_index", ""},
    {"encoder.relative_position_bias", "rel_pos_bias"},
    {"encoder.layer.*.attention.projection_layer", "blocks.*.attn.proj"},
    {"pooler.layernorm", "fc_norm"},
    {"lm_head", ""},
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
    {"layers.*.lambda_1", "blocks.*.ls1.gamma"},
    {"layers.*.lambda_2", "blocks.*.ls2.gamma"},
    {"layers.*.relative_position_bias", "blocks.*.attn"},
    {"shared_position_bias", "rel_pos_bias"},
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
    // What InternVL and FLAVA have beside their encoders of pictures.
    {"language_model", ""},
    {"multi_modal_projector", ""},
    {"flava", ""},
    {"text_model", ""},
    {"multimodal_model", ""},
    {"image_codebook", ""},
    {"image_projection", ""},
    {"text_projection", ""},
    {"image_to_mm_projection", ""},
    {"text_to_mm_projection", ""},
    {"logit_scale", ""},
    {"mim_head", ""},
    {"mlm_head", ""},
    {"itm_head", ""},
    {"mmm_image_head", ""},
    {"mmm_text_head", ""},
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

/// Which of these kinds a file without a config holds.
const char* family_of(const VitConfig& config) {
  if (config.block.attention.relative_bias) return "beit";
  if (config.block.layer_scale) return "dinov2";
  return config.prefix.dist_token ? "deit" : "vit";
}

void apply_defaults(const StateDict&, VitConfig& config) {
  config.family = family_of(config);
  config.block.norm.eps = config.family == "dinov2" ? 1e-6 : 1e-12;
  config.positions.resampling =
      config.prefix.reg_tokens ? Resampling::bicubic_antialias : Resampling::bicubic;
  if (config.family == "beit") config.block.attention.k_bias = false;
  prepare_as_huggingface(config, config.family);
}

}  // namespace

namespace huggingface {

void read_vit(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  vit.block.norm.eps = document.type == "vit_msn" ? 1e-6 : 1e-12;
  if (document.type == "ijepa") {
    vit.prefix.cls_tokens = 0;
    vit.head.pooling = Pooling::avg;
  }
  read_common(document.model, vit);
}

void read_deit(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  vit.block.norm.eps = 1e-12;
  vit.prefix.dist_token = true;
  vit.head.token_heads = document.head == Head::classes_with_teacher ? 2 : 1;
  read_common(document.model, vit);
}

void read_dinov2(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  const JsonNode& model = document.model;
  const bool is_tips = document.type.starts_with("tipsv2");
  vit.block.layer_scale = true;
  if (is_tips) {
    vit.set_image_size({448, 448});
    vit.patch.set_size({14, 14});
  }
  read_common(model, vit);
  read_mlp_ratio(model, vit);
  if (is_tips || document.type == "dinov2_with_registers") {
    vit.prefix.reg_tokens = is_tips ? 1 : 4;
    optional_count(model, "num_register_tokens", vit.prefix.reg_tokens);
    vit.positions.covers_prefix = vit.prefix.reg_tokens == 0;
    vit.positions.resampling =
        is_tips ? Resampling::bilinear_antialias : Resampling::bicubic_antialias;
  }
  if (document.head == Head::classes) vit.head.pooling = Pooling::cls_avg;
  // It takes pictures of any size, and the preprocessor says of which its classifiers want them.
  config.sized_by_preprocessor = true;
}

void read_pixio(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  set_sizes(vit, 1280, 32, 16, 5120);
  vit.set_image_size({256, 256});
  vit.prefix.cls_tokens = 8;
  optional_count(document.model, "n_cls_tokens", vit.prefix.cls_tokens);
  vit.head.pooling = Pooling::cls_mean;
  read_common(document.model, vit);
  read_mlp_ratio(document.model, vit);
  config.sized_by_preprocessor = true;
}

}  // namespace huggingface

const Layout kHuggingfaceLayout{
    "huggingface",      "transformers",           detect, to_timm, apply_defaults,
    huggingface::wrote, huggingface::read_config, owns};

}  // namespace vit
