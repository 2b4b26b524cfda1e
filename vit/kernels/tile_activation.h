#pragma once

#include <c10/util/Exception.h>

#include <vit/config.h>
#include <vit/kernels/simd.h>

namespace vit::kernels {

/// The tile kernel's name for an activation.
inline simd::TileActivation tile_activation(Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return simd::TileActivation::gelu;
    case Activation::gelu_tanh:
      return simd::TileActivation::gelu_tanh;
    case Activation::quick_gelu:
      return simd::TileActivation::quick_gelu;
  }
  TORCH_CHECK(false, "vit: unknown activation ", static_cast<int>(activation));
}

}  // namespace vit::kernels
