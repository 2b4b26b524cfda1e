#include "eval/score.h"

#include <ATen/ATen.h>

#include <base/error.h>

namespace eval {
namespace {

// On the CPU, in float64: sums then do not depend on what the logits were computed in.
at::Tensor finite(const at::Tensor& logits) {
  at::Tensor values = logits.to(at::kCPU, at::kDouble);
  if (!values.isfinite().all().item<bool>())
    base::fail("the model computes logits that are not finite; try another ",
               base::Setting{"Job::precision"}, ", and look at its weights");
  return values;
}

// [n] for logits [n, C] and labels [n].
at::Tensor ranks(const at::Tensor& logits, const at::Tensor& labels) {
  const at::Tensor column = labels.unsqueeze(1);
  const at::Tensor own = logits.gather(1, column);
  const at::Tensor before = (logits == own).logical_and(at::arange(logits.size(1)) < column);
  return (logits > own).logical_or(before).sum(1);
}

// [n], the mean over the classes.
at::Tensor mean_binary_cross_entropy(const at::Tensor& logits, const at::Tensor& labels) {
  return at::binary_cross_entropy_with_logits(logits, labels, {}, {}, at::Reduction::None).mean(1);
}

}  // namespace

int64_t label_rank(const at::Tensor& logits, int64_t label) {
  return ranks(logits.unsqueeze(0), at::tensor({label})).item<int64_t>();
}

Scores score(const at::Tensor& logits, const at::Tensor& labels, vit::ScoreKind kind) {
  const at::Tensor values = finite(logits);
  const at::Tensor column = labels.unsqueeze(1);
  Scores scores;
  scores.prediction = values.argmax(1).to(at::kInt);
  scores.rank = ranks(values, labels).to(at::kInt);
  if (kind == vit::ScoreKind::softmax) {
    const at::Tensor log_probabilities = values.log_softmax(1);
    scores.loss = -log_probabilities.gather(1, column).squeeze(1);
    scores.confidence = std::get<0>(log_probabilities.max(1)).exp();
  } else if (kind == vit::ScoreKind::sigmoid) {
    scores.loss = mean_binary_cross_entropy(values, at::zeros_like(values).scatter_(1, column, 1));
    scores.confidence = std::get<0>(values.max(1)).sigmoid();
  } else {
    base::fail("the model's outputs are no probabilities of classes: ",
               base::Setting{"Records::scores"}, " has to say how they become some");
  }
  return scores;
}

MultiLabelScores score_multi_label(const at::Tensor& logits, const at::Tensor& labels) {
  const at::Tensor values = finite(logits);
  MultiLabelScores scores;
  scores.prediction = values.argmax(1).to(at::kInt);
  scores.loss = mean_binary_cross_entropy(values, labels.to(at::kDouble));
  scores.logits = values.to(at::kFloat);
  return scores;
}

}  // namespace eval
