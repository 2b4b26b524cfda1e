#pragma once

#include <string>

#include <vit/config.h>

namespace test {

/// Makes the blocks, or the tokens, of `config` what `kind` says: "plain", "qk norm", "layer
/// scale", "swiglu", "tanh", "quick", "no qkv bias", "registers" or "no prefix"; others change
/// nothing.
inline void set_block_kind(vit::VitConfig& config, const std::string& kind) {
  config.qk_norm = kind == "qk norm";
  config.layer_scale = kind == "layer scale";
  if (kind == "swiglu") config.mlp = vit::MlpKind::swiglu_packed;
  if (kind == "tanh") config.activation = vit::Activation::gelu_tanh;
  if (kind == "quick") config.activation = vit::Activation::quick_gelu;
  config.qkv_bias = kind != "no qkv bias";
  if (kind == "registers") config.reg_tokens = 4;
  if (kind == "no prefix") {
    config.cls_token = false;
    config.pooling = vit::Pooling::avg;
  }
}

}  // namespace test
