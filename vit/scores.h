#pragma once

#include <ATen/core/Tensor.h>

#include <vit/config.h>

namespace vit {

/// What a model says of each class: `logits` [..., classes] of any floating point type -> float32
/// of the same shape, on the same device. For `kind` see score_kind() of the models:
///
///     auto [score, index] = vit::scores(logits, model->score_kind()).max(-1);
///
/// Throws Error for logits that are NaN or infinite: nothing that is made of them means anything.
at::Tensor scores(const at::Tensor& logits, ScoreKind kind);

/// Which inputs have finite logits throughout: [B, ...] -> [B] bool.
at::Tensor finite_inputs(const at::Tensor& logits);

/// "softmax", "sigmoid" or "none".
const char* score_kind_name(ScoreKind kind);

}  // namespace vit
