#pragma once

#include <vit/config.h>

namespace test {

/// A Vision Transformer that is built and run in no time: patches of 8x8, one block unless changed.
inline vit::ModelConfig tiny_config(vit::Size2d image_size) {
  vit::ModelConfig config;
  config.vit.set_image_size(image_size);
  config.vit.patch.set_size({8, 8});
  config.vit.block.dim = 16;
  config.vit.depth = 1;
  config.vit.block.attention.num_heads = 2;
  config.vit.block.mlp.hidden_dim = 40;
  config.vit.head.num_classes = 3;
  return config;
}

}  // namespace test
