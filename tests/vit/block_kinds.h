#pragma once

#include <string>
#include <vector>

#include <vit/config.h>

namespace test {

/// Makes the blocks, or the tokens, of `config` what `kind` says: "plain", "qk norm", "layer
/// scale", "swiglu", "tanh", "quick", "no qkv bias", "registers", "no prefix", or one of
/// inner_kinds() and position_kinds(); others change nothing.
inline void set_block_kind(vit::VitConfig& config, const std::string& kind) {
  auto& attention = config.block.attention;
  auto& mlp = config.block.mlp;
  attention.qk_norm = kind == "qk norm" || kind == "RMS norms" || kind == "rotary, qk norm";
  config.block.layer_scale = kind == "layer scale" || kind == "attention scale";
  config.block.mlp_layer_scale = kind != "attention scale";
  if (kind == "swiglu" || kind == "gated MLP norm") mlp.kind = vit::MlpKind::swiglu_packed;
  if (kind == "tanh") mlp.activation = vit::Activation::gelu_tanh;
  if (kind == "quick") mlp.activation = vit::Activation::quick_gelu;
  if (kind == "silu") mlp.activation = vit::Activation::silu;
  attention.set_qkv_bias(kind != "no qkv bias" && kind != "no biases");
  attention.proj_bias = mlp.bias = kind != "no biases";
  if (kind == "RMS norms") config.block.norm = {vit::NormKind::rms_norm, 1e-5};
  attention.norm = kind == "attention norm" || kind == "inner RMS norms";
  mlp.norm = kind == "MLP norm" || kind == "gated MLP norm" || kind == "inner RMS norms";
  if (kind == "inner RMS norms") config.block.norm.kind = vit::NormKind::rms_norm;
  if (kind == "grouped queries" || kind == "rotary, grouped queries")
    attention.num_kv_heads = attention.num_heads % 2 ? 1 : attention.num_heads / 2;
  if (kind.starts_with("rotary")) {
    auto& rotary = attention.rotary.emplace();
    const bool half = kind == "rotary halves" || kind == "rotary class angles";
    rotary.layout = half ? vit::RotaryLayout::half : vit::RotaryLayout::interleaved;
    if (kind == "rotary halves") {
      rotary.coordinates = vit::RotaryCoordinates::centered;
      rotary.base = 100;
    }
    if (kind == "rotary reference grid") {
      rotary.offset = 1;
      rotary.reference_rows = 16;
      rotary.reference_cols = 14;
      rotary.columns_first = true;
    }
    if (kind == "rotary learned") rotary.frequencies = vit::RotaryFrequencies::learned;
    rotary.class_angles = kind == "rotary class angles";
  }
  if (kind.starts_with("relative bias")) {
    attention.relative_bias.emplace().shared = kind == "relative bias, shared";
    config.fit_relative_bias();
  }
  if (kind == "registers" || kind == "rotary halves") config.prefix.reg_tokens = 4;
  if (kind == "no prefix" || kind == "rotary reference grid") {
    config.prefix.cls_tokens = 0;
    config.head.pooling = vit::Pooling::avg;
  }
}

/// What blocks have inside attention and MLP.
inline std::vector<std::string> inner_kinds() {
  return {"RMS norms",       "attention norm", "MLP norm",  "gated MLP norm", "inner RMS norms",
          "grouped queries", "silu",           "no biases", "attention scale"};
}

/// How blocks know where tokens are.
inline std::vector<std::string> position_kinds() {
  return {"rotary",
          "rotary halves",
          "rotary reference grid",
          "rotary learned",
          "rotary class angles",
          "rotary, qk norm",
          "rotary, grouped queries",
          "relative bias",
          "relative bias, shared"};
}

}  // namespace test
