#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <apps/bench/report.h>
#include <apps/cli/run_options.h>
#include <apps/cli/schedules.h>
#include <vit/inference_model.h>

namespace bench {

/// Inputs that run together.
struct Batch {
  at::Tensor pixels;                 ///< [n,3,H,W]; undefined where they differ in size
  std::vector<at::Tensor> pictures;  ///< where they do: n times [3,H,W]
};

/// The model in one precision, to be timed in forward passes or, as a module with parameters, in
/// steps of training.
struct Lane {
  vit::Precision precision;
  std::variant<vit::InferenceModel, vit::VisionTransformer> model;

  const vit::VitConfig& config() const;
  const std::vector<std::string>& labels() const;
  void set_reducer(std::shared_ptr<const vit::TokenReducer> reducer);
  /// Logits as an evaluation has them.
  at::Tensor forward(const Batch& batch);
};

/// What the model runs on: all of it for the agreement, one batch for the timing.
struct Inputs {
  std::vector<at::Tensor> pictures;  ///< M times [3,H,W] float32
  at::Tensor targets;                ///< [M] int64, -1 where unknown; undefined if all are
  std::string description;
};

/// Measures every setting in every lane on `device`, all by turns. The first setting is the
/// baseline. No results if it was interrupted before there were any.
std::vector<Result> sweep(std::vector<Lane>& lanes, const std::vector<cli::Setting>& settings,
                          const tome::Options& rules, const Inputs& inputs, const Setup& setup,
                          c10::Device device);

}  // namespace bench
