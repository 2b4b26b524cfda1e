#pragma once

#include <string>

#include <vit/config.h>

namespace test {

/// Makes the blocks, or the tokens, of `config` what `kind` says: "plain", "qk norm", "layer
/// scale", "swiglu", "tanh", "quick", "no qkv bias", "registers" or "no prefix"; others change
/// nothing.
inline void set_block_kind(vit::VitConfig& config, const std::string& kind) {
  config.block.attention.qk_norm = kind == "qk norm";
  config.block.layer_scale = kind == "layer scale";
  if (kind == "swiglu") config.block.mlp.kind = vit::MlpKind::swiglu_packed;
  if (kind == "tanh") config.block.mlp.activation = vit::Activation::gelu_tanh;
  if (kind == "quick") config.block.mlp.activation = vit::Activation::quick_gelu;
  config.block.attention.set_qkv_bias(kind != "no qkv bias");
  if (kind == "registers") config.prefix.reg_tokens = 4;
  if (kind == "no prefix") {
    config.prefix.cls_tokens = 0;
    config.head.pooling = vit::Pooling::avg;
  }
}

}  // namespace test
