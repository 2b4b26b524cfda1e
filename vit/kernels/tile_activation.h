#pragma once

#include <vit/error.h>
#include <vit/kernels/kernel_block.h>
#include <vit/kernels/simd.h>

namespace vit::kernels {

/// The tile kernel's name for the activation of a plain MLP.
inline simd::TileActivation tile_activation(HiddenKind kind) {
  switch (kind) {
    case HiddenKind::gelu:
      return simd::TileActivation::gelu;
    case HiddenKind::gelu_tanh:
      return simd::TileActivation::gelu_tanh;
    case HiddenKind::quick_gelu:
      return simd::TileActivation::quick_gelu;
    case HiddenKind::silu:
      return simd::TileActivation::silu;
    case HiddenKind::swiglu:
      break;
  }
  fail("kernels: a gated MLP has no activation of its own");
}

}  // namespace vit::kernels
