#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include <distributed/group.h>
#include <train/adamw.h>
#include <train/settings.h>
#include <vit/vision_transformer.h>

namespace train {

/// What a process contributes to a step.
struct StepInput {
  at::Tensor pixels;       ///< [n, C, H, W] float32; undefined for none
  at::Tensor targets;      ///< [n, classes] float32
  int64_t unreadable = 0;  ///< pictures that should have been among them
};

/// What a step came to, over all processes.
struct StepResult {
  int64_t pictures = 0;
  int64_t unreadable = 0;
  double loss = 0;    ///< sum over the pictures
  double norm = 0;    ///< of the gradient, before clipping
  bool stop = false;  ///< some process was asked to stop
};

/// One step of learning: forward and backward passes over the parts of a batch, the gradients of
/// all processes added up, clipped, applied.
class Stepper {
 public:
  /// `multi_label`: see loss_sum().
  Stepper(vit::VisionTransformer model, AdamW& optimizer, const Settings& settings,
          bool multi_label, std::shared_ptr<distributed::Group> group);

  /// `seed` decides what the model drops. Without any picture nothing changes. Throws base::Error,
  /// before anything has changed, if loss or gradient is not finite.
  StepResult run(const StepInput& input, double rate, uint64_t seed, bool stop);

 private:
  /// Leaves the sum of gradients in the parameters; returns the sum of losses.
  double accumulate(const StepInput& input);

  vit::VisionTransformer model_;
  AdamW& optimizer_;
  const Settings& settings_;
  bool multi_label_;
  std::shared_ptr<distributed::Group> group_;
};

}  // namespace train
