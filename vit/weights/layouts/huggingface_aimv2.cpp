#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/json_values.h>
#include <vit/weights/layouts/huggingface_config.h>
#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/presets.h>
#include <vit/weights/shape.h>

namespace vit {
namespace {

// AIMv2 of the transformers library, after its model prefix.
constexpr KeyRule kAimv2[] = {
    {"text_model", ""},
    {"text_projection", ""},
    {"logit_scale", ""},
    {"embeddings.position_ids", ""},
    {"embeddings.patch_embed", "patch_embed.proj"},
    {"embeddings.rms_norm", "patch_embed.norm"},
    {"embeddings.position_embedding.weight", "pos_embed"},
    {"encoder.layers.*.attention.q_proj", "blocks.*.attn.q"},
    {"encoder.layers.*.attention.k_proj", "blocks.*.attn.k"},
    {"encoder.layers.*.attention.v_proj", "blocks.*.attn.v"},
    {"encoder.layers.*.attention.out_proj", "blocks.*.attn.proj"},
    {"encoder.layers.*.ffn.gate_proj", "blocks.*.mlp.gate"},
    {"encoder.layers.*.ffn.up_proj", "blocks.*.mlp.up"},
    {"encoder.layers.*.ffn.down_proj", "blocks.*.mlp.fc2"},
    {"encoder.layers.*.rms_norm1", "blocks.*.norm1"},
    {"encoder.layers.*.rms_norm2", "blocks.*.norm2"},
    {"rms_norm", "norm"},
    {"head.cls_token", "attn_pool.latent"},
    {"head.k_proj", "attn_pool.k"},
    {"head.v_proj", "attn_pool.v"},
    {"head.output_proj", "attn_pool.proj"},
    {"visual_projection", "head"},
};

StateDict to_timm(const StateDict& weights, const std::string& where) {
  auto renamed = rename_and_pack(without_model_prefix(weights, where), kAimv2, where);
  for (const std::string kind : {"weight", "bias"}) {
    const auto k = take(renamed, "attn_pool.k." + kind), v = take(renamed, "attn_pool.v." + kind);
    if (!k.defined() && !v.defined()) continue;
    if (!k.defined() || !v.defined() || k.dim() == 0 || k.sizes() != v.sizes() ||
        k.scalar_type() != v.scalar_type())
      fail(where, ": the attention pool has no ", kind, " of key and value of one shape and type");
    renamed["attn_pool.kv." + kind] = at::cat({k, v});
  }
  return renamed;
}

void set_aimv2(VitConfig& vit) {
  vit.family = "aimv2";
  vit.prefix.cls_tokens = 0;
  vit.patch.norm = true;
  vit.positions = {};
  vit.block.norm = {NormKind::rms_norm, 1e-5};
  vit.block.attention.set_qkv_bias(false);
  vit.block.attention.proj_bias = false;
  vit.block.mlp.kind = MlpKind::swiglu_packed;
  vit.block.mlp.bias = false;
}

void pool_by_attention(VitConfig& vit) {
  vit.head.pooling = Pooling::map;
  vit.head.attention_pool.kind = AttentionPoolKind::raw_query;
}

void apply_defaults(const StateDict& stored, VitConfig& config) {
  const Size2d image = config.image_size();
  set_aimv2(config);
  if (!has_in_model(stored, "embeddings.position_embedding.weight"))
    config.positions.kind = PositionKind::sincos_2d;
  config.head.pooling = Pooling::avg;
  if (has_in_model(stored, "head.cls_token")) pool_by_attention(config);
  config.set_image_size(image);
  prepare_as_huggingface(config, config.family);
}

}  // namespace

void huggingface::read_aimv2(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  const JsonNode& model = document.model;
  set_aimv2(vit);
  set_sizes(vit, 1024, 24, 8, 2816);
  vit.patch.set_size({14, 14});
  set_gated(model, "silu", vit.block.mlp);
  read_common(model, vit);
  if (const auto node = model.find("rms_norm_eps")) vit.block.norm.eps = node->number();
  vit.block.attention.proj_bias = vit.block.attention.has_qkv_bias();
  vit.block.mlp.bias = flag(model, "mlp_bias", false);
  if (flag(model, "is_native", false)) {
    vit.positions.kind = PositionKind::sincos_2d;
    config.sized_by_preprocessor = true;
  }
  if (flag(model, "use_head", true)) {
    pool_by_attention(vit);
  } else {
    vit.head.pooling = Pooling::avg;
    if (document.head == Head::projection)
      model.at("use_head").fail("false is not supported beside a projection, which reads the pool");
  }
  if (document.head == Head::projection) read_projection(document, vit.head);
}

const Layout kHuggingfaceAimv2Layout{
    "huggingface_aimv2",
    "transformers",
    [](const StateDict& weights) { return has_in_model(weights, "embeddings.patch_embed.weight"); },
    to_timm,
    apply_defaults,
    nullptr,
    nullptr,
    [](std::string_view name) { return has_rule(name, kAimv2); }};

}  // namespace vit
