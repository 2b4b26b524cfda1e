#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <vit/scores.h>

namespace eval {

/// Classes that a picture's logits [C] put before class `label`: 0 if it is the most likely one. Of
/// equally likely classes the one of the lower index comes first, as in argmax.
int64_t label_rank(const at::Tensor& logits, int64_t label);

/// What a model says about n pictures with one label each, on the CPU.
struct Scores {
  at::Tensor prediction;  ///< [n] int32: the most likely class
  at::Tensor rank;        ///< [n] int32: label_rank()
  at::Tensor loss;        ///< [n] float64: negative log-likelihood of the label; with sigmoids the
                          ///< mean binary cross-entropy of the classes
  at::Tensor confidence;  ///< [n] float64: probability of the most likely class
};

/// `logits` [n, C] of any dtype on any device, `labels` [n] int64 on the CPU. Throws base::Error
/// for logits that are not finite, and where `kind` makes no probabilities of them.
Scores score(const at::Tensor& logits, const at::Tensor& labels,
             vit::ScoreKind kind = vit::ScoreKind::softmax);

/// The same where a picture shows any number of classes.
struct MultiLabelScores {
  at::Tensor prediction;  ///< [n] int32: the most likely class
  at::Tensor loss;        ///< [n] float64: mean binary cross-entropy of the classes
  at::Tensor logits;      ///< [n, C] float32
};

/// `labels` [n, C] of 0 and 1.
MultiLabelScores score_multi_label(const at::Tensor& logits, const at::Tensor& labels);

}  // namespace eval
