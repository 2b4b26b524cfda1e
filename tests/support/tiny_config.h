#pragma once

#include <vit/config.h>

namespace test {

/// A Vision Transformer that is built and run in no time: patches of 8x8, one block unless changed.
inline vit::ModelConfig tiny_config(vit::Size2d image_size) {
  vit::ModelConfig config;
  config.vit.image_size = image_size;
  config.vit.patch_size = {8, 8};
  config.vit.embed_dim = 16;
  config.vit.depth = 1;
  config.vit.num_heads = 2;
  config.vit.mlp_hidden_dim = 40;
  config.vit.num_classes = 3;
  return config;
}

}  // namespace test
