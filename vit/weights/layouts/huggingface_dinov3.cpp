#include <algorithm>

#include <ATen/ATen.h>

#include <vit/weights/json_values.h>
#include <vit/weights/layouts/huggingface_config.h>
#include <vit/weights/layouts/key_rules.h>
#include <vit/weights/layouts/layout.h>
#include <vit/weights/layouts/packing.h>
#include <vit/weights/layouts/presets.h>

// DINOv3 and Sapiens2 of the transformers library, which are of one kind.

namespace vit {
namespace {

// DINOv3, in files and, from "model.layer" on, in memory; there Sapiens2 has the same names.
constexpr KeyRule kDinov3[] = {
    {"embeddings.cls_token", "cls_token"},
    {"embeddings.mask_token", ""},
    {"embeddings.register_tokens", "reg_token"},
    {"embeddings.patch_embeddings", "patch_embed.proj"},
    {"rope_embeddings", ""},
    {"layer.*.norm1", "blocks.*.norm1"},
    {"layer.*.norm2", "blocks.*.norm2"},
    {"layer.*.attention.q_proj", "blocks.*.attn.q"},
    {"layer.*.attention.k_proj", "blocks.*.attn.k"},
    {"layer.*.attention.v_proj", "blocks.*.attn.v"},
    {"layer.*.attention.o_proj", "blocks.*.attn.proj"},
    {"layer.*.layer_scale1.lambda1", "blocks.*.ls1.gamma"},
    {"layer.*.layer_scale2.lambda1", "blocks.*.ls2.gamma"},
    {"layer.*.mlp.gate_proj", "blocks.*.mlp.gate"},
    {"layer.*.mlp.up_proj", "blocks.*.mlp.up"},
    {"layer.*.mlp.down_proj", "blocks.*.mlp.fc2"},
    {"model.layer.*.norm1", "blocks.*.norm1"},
    {"model.layer.*.norm2", "blocks.*.norm2"},
    {"model.layer.*.attention.q_proj", "blocks.*.attn.q"},
    {"model.layer.*.attention.k_proj", "blocks.*.attn.k"},
    {"model.layer.*.attention.v_proj", "blocks.*.attn.v"},
    {"model.layer.*.attention.o_proj", "blocks.*.attn.proj"},
    {"model.layer.*.attention.q_norm", "blocks.*.attn.q_norm"},
    {"model.layer.*.attention.k_norm", "blocks.*.attn.k_norm"},
    {"model.layer.*.layer_scale1.lambda1", "blocks.*.ls1.gamma"},
    {"model.layer.*.layer_scale2.lambda1", "blocks.*.ls2.gamma"},
    {"model.layer.*.mlp.gate_proj", "blocks.*.mlp.gate"},
    {"model.layer.*.mlp.up_proj", "blocks.*.mlp.up"},
    {"model.layer.*.mlp.down_proj", "blocks.*.mlp.fc2"},
};

// Sapiens2 in files: the names of its authors.
constexpr KeyRule kSapiens2[] = {
    {"patch_embed.projection", "patch_embed.proj"},
    {"storage_tokens", "reg_token"},
    {"embeddings.mask_token", ""},
    {"blocks.*.ln1", "blocks.*.norm1"},
    {"blocks.*.ln2", "blocks.*.norm2"},
    {"blocks.*.attn.wq", "blocks.*.attn.q"},
    {"blocks.*.attn.wk", "blocks.*.attn.k"},
    {"blocks.*.attn.wv", "blocks.*.attn.v"},
    {"blocks.*.attn.gamma.weight", "blocks.*.ls1.gamma"},
    {"blocks.*.ffn.w12", "blocks.*.mlp.fc1"},
    {"blocks.*.ffn.w3", "blocks.*.mlp.fc2"},
    {"blocks.*.mlp.up_proj", "blocks.*.mlp.up"},
    {"blocks.*.mlp.down_proj", "blocks.*.mlp.fc2"},
    {"ln1", "norm"},
};

StateDict renamed(const StateDict& weights, std::span<const KeyRule> rules,
                  const std::string& where) {
  auto names = rename_keys(without_model_prefix(weights, where), rules, where);
  // The layer in front of the activation has one name in gated and plain MLPs.
  constexpr KeyRule kPlain[] = {{"blocks.*.mlp.up", "blocks.*.mlp.fc1"}};
  const bool is_gated = std::ranges::any_of(
      names, [](const auto& item) { return item.first.find(".mlp.gate.") != item.first.npos; });
  return rename_and_pack(names, is_gated ? std::span<const KeyRule>() : kPlain, where);
}

/// Rotary positions alone, and no bias of the keys.
void set_rotary(VitConfig& vit) {
  vit.positions = {};
  vit.positions.kind = PositionKind::none;
  vit.block.attention.k_bias = false;
  vit.block.attention.rotary = RotaryConfig{
      .layout = RotaryLayout::half, .coordinates = RotaryCoordinates::centered, .base = 100};
}

void set_dinov3(VitConfig& vit) {
  set_rotary(vit);
  vit.block.norm.eps = 1e-5;
  vit.family = "dinov3";
}

void set_sapiens2(VitConfig& vit) {
  set_rotary(vit);
  vit.block.norm = {NormKind::rms_norm, 1e-6};
  vit.block.mlp_layer_scale = false;
  vit.family = "sapiens2";
}

bool has_key_bias(const StateDict& stored) {
  return std::ranges::any_of(stored, [](const auto& item) {
    return item.first.ends_with("attention.k_proj.bias") || item.first.ends_with("attn.wk.bias");
  });
}

template <void (*set)(VitConfig&)>
void apply_defaults(const StateDict& stored, VitConfig& config) {
  set(config);
  config.block.attention.k_bias = has_key_bias(stored);
  prepare_as_huggingface(config, config.family);
}

}  // namespace

namespace huggingface {
namespace {

void read_rotary_kind(const JsonNode& model, VitConfig& vit) {
  AttentionConfig& attention = vit.block.attention;
  if (const auto node = model.find("rope_theta")) {
    attention.rotary->base = node->number();
    if (!(attention.rotary->base > 0)) node->fail("expected a number above 0");
  }
  attention.q_bias = flag(model, "query_bias", true);
  attention.v_bias = flag(model, "value_bias", true);
  attention.k_bias = flag(model, "key_bias", attention.k_bias);
  attention.proj_bias = flag(model, "proj_bias", true);
  vit.block.mlp.bias = flag(model, "mlp_bias", true);
  vit.block.layer_scale = true;
  optional_count(model, "num_register_tokens", vit.prefix.reg_tokens);
}

}  // namespace

void read_dinov3(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  const JsonNode& model = document.model;
  set_dinov3(vit);
  set_sizes(vit, 384, 12, 6, 1536);
  if (flag(model, "use_gated_mlp", false)) set_gated(model, "gelu", vit.block.mlp);
  read_common(model, vit);
  read_rotary_kind(model, vit);
  config.sized_by_preprocessor = true;
}

void read_sapiens2(const Document& document, ModelConfig& config) {
  VitConfig& vit = config.vit;
  const JsonNode& model = document.model;
  set_sapiens2(vit);
  set_sizes(vit, 1024, 24, 16, 4096);
  vit.prefix.reg_tokens = 8;
  vit.block.attention.k_bias = true;
  if (flag(model, "use_gated_mlp", true))
    set_gated(model, "silu", vit.block.mlp);
  else
    vit.block.mlp.activation = Activation::silu;
  read_common(model, vit);
  if (const auto node = model.find("rms_norm_eps")) vit.block.norm.eps = node->number();
  read_rotary_kind(model, vit);
  vit.block.attention.qk_norm = flag(model, "use_qk_norm", true);
  if (const auto node = model.find("num_key_value_heads_per_layer")) {
    for (const JsonNode& heads : node->elements()) {
      vit.kv_heads.push_back(count(heads));
      if (vit.kv_heads.back() == 0) heads.fail("expected 1 or more");
    }
    if (static_cast<int64_t>(vit.kv_heads.size()) != vit.depth)
      node->fail("names the heads of ", vit.kv_heads.size(), " blocks, but num_hidden_layers is ",
                 vit.depth);
  } else {
    int64_t first = 8, last = 8, heads = 8;
    optional_count(model, "num_first_full_attention_layers", first);
    optional_count(model, "num_last_full_attention_layers", last);
    optional_count(model, "num_key_value_attention_heads", heads);
    constexpr int64_t kMaxBlocks = 1 << 16;  // VitConfig::validate() knows the real limit
    for (int64_t i = 0; i < std::min(vit.depth, kMaxBlocks); ++i)
      vit.kv_heads.push_back(i < first || i >= vit.depth - last ? vit.block.attention.num_heads
                                                                : heads);
  }
  // As timm has it where all blocks are alike.
  if (vit.kv_heads.empty() || std::ranges::count(vit.kv_heads, vit.kv_heads[0]) ==
                                  static_cast<int64_t>(vit.kv_heads.size())) {
    const int64_t heads = vit.kv_heads.empty() ? 0 : vit.kv_heads[0];
    vit.block.attention.num_kv_heads = heads == vit.block.attention.num_heads ? 0 : heads;
    vit.kv_heads.clear();
  }
  config.sized_by_preprocessor = true;
}

}  // namespace huggingface

const Layout kHuggingfaceDinov3Layout{
    "huggingface_dinov3",
    "transformers",
    [](const StateDict& weights) {
      return has_in_model(weights, "embeddings.patch_embeddings.weight");
    },
    [](const StateDict& weights, const std::string& where) {
      return renamed(weights, kDinov3, where);
    },
    apply_defaults<set_dinov3>,
    nullptr,
    nullptr,
    [](std::string_view name) { return has_rule(name, kDinov3); }};

const Layout kHuggingfaceSapiens2Layout{
    "huggingface_sapiens2",
    "transformers",
    [](const StateDict& weights) { return has_in_model(weights, "blocks.0.attn.wq.weight"); },
    [](const StateDict& weights, const std::string& where) {
      return renamed(weights, kSapiens2, where);
    },
    apply_defaults<set_sapiens2>,
    nullptr,
    nullptr,
    [](std::string_view name) { return has_rule(name, kSapiens2); }};

}  // namespace vit
