#include <ATen/ATen.h>

#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/presets.h>

namespace vit {
namespace {

// CLIP and SigLIP vision towers of the transformers library, after their model prefix.
constexpr KeyRule kHuggingfaceClip[] = {
    {"text_model", ""},
    {"text_projection", ""},
    {"logit_scale", ""},
    {"logit_bias", ""},
    {"embeddings.class_embedding", "cls_token"},
    {"embeddings.position_embedding.weight", "pos_embed"},
    {"embeddings.position_ids", ""},
    {"embeddings.patch_embedding", "patch_embed.proj"},
    {"pre_layrnorm", "norm_pre"},
    {"encoder.layers.*.self_attn.q_proj", "blocks.*.attn.q"},
    {"encoder.layers.*.self_attn.k_proj", "blocks.*.attn.k"},
    {"encoder.layers.*.self_attn.v_proj", "blocks.*.attn.v"},
    {"encoder.layers.*.self_attn.out_proj", "blocks.*.attn.proj"},
    {"encoder.layers.*.layer_norm1", "blocks.*.norm1"},
    {"encoder.layers.*.layer_norm2", "blocks.*.norm2"},
    {"encoder.layers.*.mlp", "blocks.*.mlp"},
    {"post_layernorm", "norm"},
    {"head.probe", "attn_pool.latent"},
    {"head.attention.in_proj_weight", "attn_pool.qkv.weight"},
    {"head.attention.in_proj_bias", "attn_pool.qkv.bias"},
    {"head.attention.out_proj", "attn_pool.proj"},
    {"head.layernorm", "attn_pool.norm"},
    {"head.mlp", "attn_pool.mlp"},
    {"visual_projection", "head"},
    {"classifier", "head"},
};

bool detect(const StateDict& weights) {
  return has_in_model(weights, "embeddings.patch_embedding.weight");
}

StateDict to_timm(const StateDict& weights, const std::string& where) {
  return rename_and_pack(without_model_prefix(weights, where), kHuggingfaceClip, where);
}

bool owns(std::string_view name) { return has_rule(name, kHuggingfaceClip); }

void apply_defaults(const StateDict&, VitConfig& config) {
  config.block.norm.eps = config.pre_norm ? 1e-5 : 1e-6;
  config.block.mlp.activation = config.pre_norm ? Activation::quick_gelu : Activation::gelu_tanh;
  config.positions.resampling = Resampling::bicubic;
  config.family = config.pre_norm ? "clip" : "siglip";
  prepare_as_huggingface(config, config.family);
}

}  // namespace

// Its config is read by kHuggingfaceLayout.
const Layout kHuggingfaceClipLayout{"huggingface_clip", "transformers", detect,  to_timm,
                                    apply_defaults,     nullptr,        nullptr, owns};

}  // namespace vit
