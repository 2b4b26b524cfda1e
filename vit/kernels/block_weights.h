#pragma once

#include <ATen/core/Tensor.h>

namespace vit::kernels {

struct LinearWeights {
  at::Tensor weight;  ///< [out, in]
  at::Tensor bias;    ///< [out] or undefined
};

struct NormWeights {
  at::Tensor weight;  ///< [dim]
  at::Tensor bias;    ///< [dim]; undefined for an RMS norm
};

/// Parameters of one block as both engines, of inference and of training, read them. They are the
/// block's own tensors, not copies.
struct BlockWeights {
  NormWeights norm1, norm2;
  NormWeights q_norm, k_norm;  ///< undefined without qk_norm
  LinearWeights qkv, proj, fc1, fc2;
  at::Tensor gamma1, gamma2;  ///< [dim]; undefined without layer scale
  NormWeights attn_norm;      ///< before proj; undefined without AttentionConfig::norm
  NormWeights mlp_norm;       ///< before fc2; undefined without MlpConfig::norm
  at::Tensor rotary_freqs;    ///< [2, heads, d/2]; undefined unless they are learned
  at::Tensor class_angles;    ///< [d/2]; undefined without RotaryConfig::class_angles
  at::Tensor relative_bias;   ///< [heads, N0, N0] of tokens that are not merged; undefined without

  /// Calls `visit` with each tensor that there is.
  template <typename F>
  void each(const F& visit) const {
    const auto& [n1, n2, qn, kn, a, b, c, d, g1, g2, an, mn, freqs, angles, bias] = *this;
    for (const auto* tensor :
         {&n1.weight, &n1.bias,  &n2.weight, &n2.bias,  &qn.weight, &qn.bias,  &kn.weight,
          &kn.bias,   &a.weight, &a.bias,    &b.weight, &b.bias,    &c.weight, &c.bias,
          &d.weight,  &d.bias,   &g1,        &g2,       &an.weight, &an.bias,  &mn.weight,
          &mn.bias,   &freqs,    &angles,    &bias})
      if (tensor->defined()) visit(*tensor);
  }
};

}  // namespace vit::kernels
