#include <algorithm>
#include <iterator>
#include <span>

#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/weights/flax_keys.h>
#include <vit/weights/key_rules.h>
#include <vit/weights/layouts.h>
#include <vit/weights/text.h>

namespace vit {
namespace {

// The authors' own files of DINO, DINOv2, MAE and DeiT III: what only their training needs goes.
constexpr KeyRule kAuthors[] = {
    {"register_tokens", "reg_token"},
    {"blocks.*.gamma_1", "blocks.*.ls1.gamma"},
    {"blocks.*.gamma_2", "blocks.*.ls2.gamma"},
    // DINOv2 may train its blocks in chunks; the second number counts them all.
    {"blocks.*.*.mlp.w12", "blocks.*.mlp.fc1"},
    {"blocks.*.*.mlp.w3", "blocks.*.mlp.fc2"},
    {"blocks.*.*", "blocks.*"},
    {"mask_token", ""},
    {"blocks.*.mlp.w12", "blocks.*.mlp.fc1"},
    {"blocks.*.mlp.w3", "blocks.*.mlp.fc2"},
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
    {"layernorm", "norm"},
    {"pooler", ""},  // for sentence-like tasks; no classifier reads it
    {"classifier", "head"},
    {"cls_classifier", "head"},
    {"distillation_classifier", "head_dist"},
};

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

// torchvision, and SWAG in its names.
constexpr KeyRule kTorchvision[] = {
    {"class_token", "cls_token"},
    {"conv_proj", "patch_embed.proj"},
    {"encoder.pos_embedding", "pos_embed"},
    {"encoder.layers.encoder_layer_*.ln_1", "blocks.*.norm1"},
    {"encoder.layers.encoder_layer_*.ln_2", "blocks.*.norm2"},
    {"encoder.layers.encoder_layer_*.self_attention.in_proj_weight", "blocks.*.attn.qkv.weight"},
    {"encoder.layers.encoder_layer_*.self_attention.in_proj_bias", "blocks.*.attn.qkv.bias"},
    {"encoder.layers.encoder_layer_*.self_attention.out_proj", "blocks.*.attn.proj"},
    {"encoder.layers.encoder_layer_*.mlp.0", "blocks.*.mlp.fc1"},
    {"encoder.layers.encoder_layer_*.mlp.3", "blocks.*.mlp.fc2"},
    {"encoder.layers.encoder_layer_*.mlp.linear_1", "blocks.*.mlp.fc1"},
    {"encoder.layers.encoder_layer_*.mlp.linear_2", "blocks.*.mlp.fc2"},
    {"encoder.ln", "norm"},
    {"heads.head", "head"},
};

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

std::span<const KeyRule> rules_of(Layout layout) {
  switch (layout) {
    case Layout::authors:
      return kAuthors;
    case Layout::huggingface:
      return kHuggingface;
    case Layout::huggingface_clip:
      return kHuggingfaceClip;
    case Layout::torchvision:
      return kTorchvision;
    case Layout::open_clip:
      return kOpenClip;
    case Layout::timm:
    case Layout::flax:
      break;
  }
  return {};
}

// What stands in front of the tensors of a model (not of its head) unless it was saved alone.
constexpr std::string_view kModelPrefixes[] = {
    "vit.",      "deit.",         "dinov2.",    "dinov2_with_registers.", "ijepa.", "vision_model.",
    "backbone.", "visual.trunk.", "timm_model."};

StateDict without_model_prefix(const StateDict& weights, const std::string& where) {
  StateDict bare;
  for (const auto& [name, tensor] : weights) {
    std::string key = name;
    for (const auto prefix : kModelPrefixes)
      if (key.starts_with(prefix)) {
        key.erase(0, prefix.size());
        break;
      }
    if (!bare.emplace(key, tensor).second)
      fail(where, ": both \"", key, "\" and \"", name, "\" are there");
  }
  return bare;
}

/// Takes a tensor out of a state dict; undefined if it is not there.
at::Tensor take(StateDict& weights, const std::string& name) {
  const auto found = weights.find(name);
  if (found == weights.end()) return {};
  auto tensor = std::move(found->second);
  weights.erase(found);
  return tensor;
}

/// Packs blocks.N.attn.{q,k,v} into blocks.N.attn.qkv. Keys may lack the bias that queries and
/// values have: it cancels in the softmax, and zero stands for it.
void pack_attention(StateDict& weights, const std::string& where) {
  std::vector<std::string> stems;
  for (const auto& [name, tensor] : weights)
    if (name.starts_with("blocks.") && name.ends_with(".attn.q.weight"))
      stems.push_back(name.substr(0, name.size() - std::string_view("q.weight").size()));
  for (const auto& stem : stems)
    for (const std::string kind : {"weight", "bias"}) {
      auto q = take(weights, stem + "q." + kind), k = take(weights, stem + "k." + kind),
           v = take(weights, stem + "v." + kind);
      if (kind == "bias" && !q.defined() && !k.defined() && !v.defined()) continue;
      if (kind == "bias" && q.defined() && !k.defined()) k = at::zeros_like(q);
      if (!q.defined() || !k.defined() || !v.defined())
        fail(where, ": \"", stem, "\" has no complete ", kind, " of query, key and value");
      if (q.dim() == 0 || q.sizes() != k.sizes() || q.sizes() != v.sizes() ||
          q.scalar_type() != k.scalar_type() || q.scalar_type() != v.scalar_type())
        fail(where, ": the ", kind, " of query, key and value of \"", stem,
             "\" differ in shape or type: ", shape_text(q.sizes()), ", ", shape_text(k.sizes()),
             ", ", shape_text(v.sizes()));
      weights.emplace(stem + "qkv." + kind, at::cat({q, k, v}));
    }
}

/// attn_pool.qkv (nn.MultiheadAttention's packing) -> attn_pool.q and attn_pool.kv.
void split_attention_pool(StateDict& weights, const std::string& where) {
  for (const std::string kind : {"weight", "bias"}) {
    const auto packed = take(weights, "attn_pool.qkv." + kind);
    if (!packed.defined()) continue;
    if (packed.dim() == 0 || packed.size(0) % 3)
      fail(where, ": the attention pool's packed ", kind, " has shape ", shape_text(packed.sizes()),
           ", expected three equal parts");
    const int64_t dim = packed.size(0) / 3;
    weights["attn_pool.q." + kind] = packed.slice(0, 0, dim);
    weights["attn_pool.kv." + kind] = packed.slice(0, dim);
  }
}

/// The table of DINOv2 has an entry for the class token but none for the registers between it and
/// the patches. Adding it to the class token itself leaves a table of the patches alone.
void fold_class_position(StateDict& weights) {
  const auto table = weights.find("pos_embed"), cls = weights.find("cls_token");
  if (!weights.contains("reg_token") || table == weights.end() || cls == weights.end()) return;
  const auto &positions = table->second, &token = cls->second;
  if (positions.dim() != 3 || positions.size(1) < 2 || token.dim() != 3 || token.size(1) != 1 ||
      token.size(2) != positions.size(2))
    return;  // reported when the shapes are compared with the model's
  // In float32, as the library adds them after they are converted.
  cls->second = token.to(at::kFloat) + positions.slice(1, 0, 1).to(at::kFloat);
  table->second = positions.slice(1, 1).contiguous();
}

void add_batch_dims(StateDict& weights) {
  for (const char* name : {"cls_token", "dist_token", "reg_token", "pos_embed"})
    if (const auto found = weights.find(name); found != weights.end())
      while (found->second.dim() >= 1 && found->second.dim() < 3)
        found->second = found->second.unsqueeze(0);
}

}  // namespace

Layout detect_layout(const StateDict& weights) {
  if (weights.contains("conv_proj.weight")) return Layout::torchvision;
  for (const char* name : {"visual.conv1.weight", "visual.trunk.patch_embed.proj.weight"})
    if (weights.contains(name)) return Layout::open_clip;
  const auto has = [&](const std::string& name) {
    return weights.contains(name) ||
           std::any_of(std::begin(kModelPrefixes), std::end(kModelPrefixes),
                       [&](auto prefix) { return weights.contains(std::string(prefix) + name); });
  };
  if (has("embeddings.patch_embedding.weight")) return Layout::huggingface_clip;
  if (has("embeddings.patch_embeddings.projection.weight")) return Layout::huggingface;
  for (const char* name : {"register_tokens", "blocks.0.mlp.w12.weight", "decoder_embed.weight",
                           "backbone.patch_embed.proj.weight", "dino_head.mlp.0.weight",
                           "timm_model.patch_embed.proj.weight"})
    if (weights.contains(name)) return Layout::authors;
  if (weights.contains("cls_token") && weights.contains("blocks.0.0.norm1.weight"))
    return Layout::authors;
  // BEiT and DINOv3 have such a scale, too, but other positions.
  if (weights.contains("blocks.0.gamma_1") && weights.contains("pos_embed")) return Layout::authors;
  return is_flax(weights) ? Layout::flax : Layout::timm;
}

StateDict to_timm_layout(const StateDict& weights, Layout layout, const std::string& where) {
  if (layout == Layout::timm) return weights;
  if (layout == Layout::flax) return flax_to_timm(weights, where);
  const bool prefixed = layout != Layout::torchvision;
  const auto bare = prefixed ? without_model_prefix(weights, where) : weights;
  auto renamed = rename_keys(bare, rules_of(layout), where);
  add_batch_dims(renamed);
  pack_attention(renamed, where);
  split_attention_pool(renamed, where);
  if (layout == Layout::huggingface || bare.contains("register_tokens"))
    fold_class_position(renamed);
  // OpenCLIP multiplies by its projection from the right.
  if (const auto projection = take(renamed, "projection"); projection.defined()) {
    if (projection.dim() != 2)
      fail(where, ": \"visual.proj\" has shape ", shape_text(projection.sizes()),
           ", expected two dims");
    renamed["head.weight"] = projection.t();
  }
  return renamed;
}

std::string name_in_file(const StateDict& stored, const StateDict& weights,
                         const std::string& name) {
  const auto found = weights.find(name);
  if (found == weights.end() || stored.contains(name)) return name;
  const auto& tensor = found->second;
  // Renaming, transposing and permuting leave the data where they are.
  for (const auto& [stored_name, candidate] : stored)
    if (candidate.is_same(tensor) || (tensor.numel() > 0 && candidate.numel() == tensor.numel() &&
                                      candidate.const_data_ptr() == tensor.const_data_ptr()))
      return stored_name;
  return name;
}

void apply_layout_defaults(Layout layout, const StateDict& stored, VitConfig& config) {
  switch (layout) {
    case Layout::huggingface:
      config.block.norm.eps = config.block.layer_scale ? 1e-6 : 1e-12;
      config.positions.resampling = config.prefix.reg_tokens ? Resampling::bicubic_antialias : Resampling::bicubic;
      config.family = config.block.layer_scale ? "dinov2" : config.prefix.dist_token ? "deit" : "vit";
      break;
    case Layout::huggingface_clip:
      config.block.norm.eps = config.pre_norm ? 1e-5 : 1e-6;
      config.block.mlp.activation = config.pre_norm ? Activation::quick_gelu : Activation::gelu_tanh;
      config.positions.resampling = Resampling::bicubic;
      config.family = config.pre_norm ? "clip" : "siglip";
      break;
    case Layout::open_clip:
      if (config.head.pooling == Pooling::map) {  // timm's
        config.family = "siglip";
        break;
      }
      config.block.norm.eps = 1e-5;
      // OpenAI's own files have these beside the weights. OpenCLIP prefers the usual GELU.
      config.block.mlp.activation =
          stored.contains("input_resolution") ? Activation::quick_gelu : Activation::gelu;
      config.family = "clip";
      break;
    case Layout::torchvision:
      config.block.norm.eps = 1e-6;
      break;
    case Layout::authors:
      if (stored.contains("decoder_embed.weight"))
        config.family = "mae";
      else if (stored.contains("register_tokens") || config.block.mlp.kind == MlpKind::swiglu_packed)
        config.family = "dinov2";
      else if (stored.contains("dino_head.mlp.0.weight") || stored.contains("head.mlp.0.weight"))
        config.family = "dino";
      else if (stored.contains("blocks.0.gamma_1"))
        config.family = "deit3";
      break;
    case Layout::flax:
      config.family = "augreg";
      break;
    case Layout::timm:
      break;
  }
}

}  // namespace vit
