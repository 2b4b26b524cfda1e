#include <ATen/ATen.h>

#include <vit/error.h>
#include <vit/scores.h>

namespace vit {

at::Tensor finite_inputs(const at::Tensor& logits) { return logits.isfinite().flatten(1).all(1); }

at::Tensor scores(const at::Tensor& logits, ScoreKind kind) {
  TORCH_CHECK(logits.dim() >= 1 && logits.is_floating_point(),
              "scores: expected logits [..., classes] in floating point, got ", logits.sizes(),
              " of ", logits.scalar_type());
  const at::Tensor values = logits.to(at::kFloat);
  if (!values.isfinite().all().item<bool>())
    fail("scores: some of the logits are NaN or infinite, which no score can be made of; try ",
         "another dtype, and look at the weights of the model");
  switch (kind) {
    case ScoreKind::softmax:
      return values.softmax(-1);
    case ScoreKind::sigmoid:
      return values.sigmoid();
    case ScoreKind::none:
      return values;
  }
  TORCH_CHECK(false, "scores: unknown kind ", static_cast<int>(kind));
}

const char* score_kind_name(ScoreKind kind) {
  switch (kind) {
    case ScoreKind::softmax:
      return "softmax";
    case ScoreKind::sigmoid:
      return "sigmoid";
    case ScoreKind::none:
      break;
  }
  return "none";
}

}  // namespace vit
