#include <ATen/ATen.h>

#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/presets.h>
#include <vit/weights/layouts/timm_names.h>

namespace vit {
namespace {

// The authors' own files of DINO, DINOv2, MAE and DeiT III: what only their training needs goes.
constexpr KeyRule kAuthors[] = {
    {"register_tokens", "reg_token"},
    // DINOv2 may train its blocks in chunks; the second number counts them all.
    {"blocks.*.*.mlp.w12", "blocks.*.mlp.fc1"},
    {"blocks.*.*.mlp.w3", "blocks.*.mlp.fc2"},
    {"blocks.*.*", "blocks.*"},
    {"mask_token", ""},
    {"blocks.*.mlp.w12", "blocks.*.mlp.fc1"},
    {"blocks.*.mlp.w3", "blocks.*.mlp.fc2"},
    {"blocks.*.mlp.c_fc", "blocks.*.mlp.fc1"},  // TIPSv2
    {"blocks.*.mlp.c_proj", "blocks.*.mlp.fc2"},
    {"decoder_embed", ""},
    {"decoder_pos_embed", ""},
    {"decoder_blocks", ""},
    {"decoder_norm", ""},
    {"decoder_pred", ""},
    {"head.mlp", ""},
    {"head.last_layer", ""},
    {"dino_head", ""},
    {"ibot_head", ""},
};

bool detect(const StateDict& weights) {
  for (const char* name : {"register_tokens", "blocks.0.mlp.w12.weight", "decoder_embed.weight",
                           "backbone.patch_embed.proj.weight", "dino_head.mlp.0.weight"})
    if (weights.contains(name)) return true;
  if (weights.contains("cls_token") && weights.contains("blocks.0.0.norm1.weight")) return true;
  // timm's models of the kind of BEiT and EVA have such a scale, too. RoPE-ViT's with a table of
  // positions have the very names of DeiT III; what they are is not decided here.
  return weights.contains("blocks.0.gamma_1") && weights.contains("pos_embed") &&
         !weights.contains("rope.freqs") && !weights.contains("norm_pre.weight") &&
         !weights.contains("blocks.0.attn.q_bias");
}

StateDict to_timm(const StateDict& weights, const std::string& where) {
  const auto bare = without_model_prefix(weights, where);
  // What they keep in a training checkpoint may be one of timm's models.
  auto renamed = timm_names(rename_and_pack(bare, kAuthors, where), where);
  if (bare.contains("register_tokens")) fold_class_position(renamed);
  return renamed;
}

bool owns(std::string_view name) { return has_rule(name, kAuthors); }

void apply_defaults(const StateDict& stored, VitConfig& config) {
  if (stored.contains("decoder_embed.weight"))
    config.family = "mae";
  else if (stored.contains("register_tokens") || config.block.mlp.kind == MlpKind::swiglu_packed)
    config.family = "dinov2";
  else if (stored.contains("dino_head.mlp.0.weight") || stored.contains("head.mlp.0.weight"))
    config.family = "dino";
  else if (stored.contains("blocks.0.gamma_1"))
    config.family = "deit3";
  else
    return;
  // All of them take seven eighths of the picture; MAE all of it beyond its own size.
  const bool whole = config.family == "mae" && config.image_size().height > 224;
  prepare_as_imagenet(config, Interpolation::bicubic, whole ? 1.0 : 0.875);
}

}  // namespace

const Layout kAuthorsLayout{"authors",      "its authors", detect,  to_timm,
                            apply_defaults, nullptr,       nullptr, owns};

}  // namespace vit
