#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

#include <ATen/ATen.h>
#include <torch/cuda.h>

#include <apps/bench/measure.h>
#include <apps/bench/sweep.h>
#include <apps/bench/training_step.h>
#include <apps/cli/progress.h>
#include <apps/cli/run_options.h>
#include <base/error.h>
#include <vit/scores.h>

namespace bench {
namespace {

using Reducer = std::shared_ptr<const vit::TokenReducer>;

// What is known without running anything.
Result counted(const Lane& lane, const cli::Setting& setting, const tome::Merging& merging) {
  Result result;
  result.schedule = setting.schedule.to_string();
  result.r = setting.r;
  result.dtype = lane.precision.name();
  result.tokens = merging.tokens;
  result.merge_ratio = merging.merge_ratio;
  result.gflops = merging.gflops;
  return result;
}

// Pictures on the device that the model runs on.
Batch batch_of(const std::vector<at::Tensor>& pictures, c10::Device device, at::ScalarType dtype) {
  Batch batch;
  const bool alike = std::all_of(pictures.begin(), pictures.end(), [&](const at::Tensor& picture) {
    return picture.sizes() == pictures.front().sizes();
  });
  if (alike)
    batch.pixels = at::stack(pictures).to(device, dtype);
  else
    for (const at::Tensor& picture : pictures) batch.pictures.push_back(picture.to(device, dtype));
  return batch;
}

// Top-1 class of every input, computed batch by batch; of the mean logits where every token has
// logits of its own. -1 where logits are not finite.
at::Tensor top1(Lane& lane, const std::vector<at::Tensor>& pictures, int64_t batch,
                c10::Device device) {
  const at::NoGradGuard no_gradient;
  std::vector<at::Tensor> classes;
  const auto total = static_cast<int64_t>(pictures.size());
  for (int64_t begin = 0; begin < total; begin += batch) {
    const std::vector<at::Tensor> part(pictures.begin() + begin,
                                       pictures.begin() + std::min(total, begin + batch));
    at::Tensor logits = lane.forward(batch_of(part, device, lane.precision.dtype));
    if (logits.dim() == 3) logits = logits.mean(1);
    const at::Tensor unknown = vit::finite_inputs(logits).logical_not();
    classes.push_back(logits.argmax(-1).masked_fill(unknown, -1).cpu());
  }
  return at::cat(classes);
}

void wait_for(c10::Device device) {
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

Subject subject(Lane& lane, const Reducer& reducer, const std::vector<at::Tensor>& pictures,
                c10::Device device) {
  const Batch batch = batch_of(pictures, device, lane.precision.dtype);
  return {[&lane, reducer] { lane.set_reducer(reducer); },
          [&lane, batch, device] {
            lane.forward(batch);
            wait_for(device);
          }};
}

Subject training_subject(Lane& lane, const Reducer& reducer,
                         const std::vector<at::Tensor>& pictures, c10::Device device) {
  const at::Tensor pixels = batch_of(pictures, device, at::kFloat).pixels;
  if (!pixels.defined())
    base::fail("--training: the pictures differ in size; give them one with --image-size");
  const at::Tensor targets = at::arange(pixels.size(0), pixels.options().dtype(at::kLong))
                                 .remainder(lane.config().head.num_classes);
  auto& model = std::get<vit::VisionTransformer>(lane.model);
  return {[&model, reducer] {
            model->set_reducer(reducer);
            model->train();
          },
          [&lane, &model, pixels, targets, device] {
            training_step(model, pixels, targets, lane.precision.dtype);
            wait_for(device);
          }};
}

double share(const at::Tensor& which) { return which.to(at::kDouble).mean().item<double>(); }

}  // namespace

const vit::VitConfig& Lane::config() const {
  if (const auto* inference = std::get_if<vit::InferenceModel>(&model)) return inference->config();
  return std::get<vit::VisionTransformer>(model)->config();
}

const std::vector<std::string>& Lane::labels() const {
  if (const auto* inference = std::get_if<vit::InferenceModel>(&model)) return inference->labels();
  return std::get<vit::VisionTransformer>(model)->labels();
}

void Lane::set_reducer(Reducer reducer) {
  if (auto* inference = std::get_if<vit::InferenceModel>(&model))
    inference->set_reducer(std::move(reducer));
  else
    std::get<vit::VisionTransformer>(model)->set_reducer(std::move(reducer));
}

at::Tensor Lane::forward(const Batch& batch) {
  const auto run = [&](const auto& model) {
    return batch.pixels.defined() ? model.forward(batch.pixels) : model.forward(batch.pictures);
  };
  if (const auto* inference = std::get_if<vit::InferenceModel>(&model)) return run(*inference);
  auto& module = std::get<vit::VisionTransformer>(model);
  module->eval();
  return run(*module);
}

std::vector<Result> sweep(std::vector<Lane>& lanes, const std::vector<cli::Setting>& settings,
                          const tome::Options& rules, const Inputs& inputs, const Setup& setup,
                          c10::Device device) {
  // Fewer inputs than a batch are repeated.
  std::vector<at::Tensor> batch;
  for (std::size_t i = 0; i < static_cast<std::size_t>(setup.batch); ++i)
    batch.push_back(inputs.pictures[i % inputs.pictures.size()]);
  std::vector<std::vector<tome::Merging>> mergings;
  std::vector<Subject> subjects;
  for (Lane& lane : lanes) {
    mergings.push_back(cli::mergings(lane.config(), settings, rules));
    for (const tome::Merging& merging : mergings.back())
      subjects.push_back(setup.training ? training_subject(lane, merging.reducer, batch, device)
                                        : subject(lane, merging.reducer, batch, device));
  }
  std::vector<Timing> timings;
  if (setup.on_request) {
    timings = measure_on_request(subjects, setup.seconds, setup.batch, std::cin, std::cout);
  } else {
    cli::Progress progress(100, "%");
    timings = measure(subjects, setup.seconds, progress);
  }
  if (timings.front().round_rates.empty()) return {};

  std::vector<Result> results;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    at::Tensor baseline_classes;
    for (std::size_t j = 0; j < settings.size(); ++j) {
      Result result = counted(lanes[i], settings[j], mergings[i][j]);
      result.baseline = j == 0;
      set_timing(result, timings[results.size()], setup.batch);
      lanes[i].set_reducer(mergings[i][j].reducer);
      const at::Tensor classes = top1(lanes[i], inputs.pictures, setup.batch, device);
      if (result.baseline) baseline_classes = classes;
      const at::Tensor known = classes >= 0;
      result.not_finite = classes.numel() - known.sum().item<int64_t>();
      result.top1_agreement = share((classes == baseline_classes).logical_and(known));
      if (inputs.targets.defined())
        result.top1 = share((classes == inputs.targets).masked_select(inputs.targets >= 0));
      if (!result.baseline) {
        const Result& baseline = results[results.size() - j];
        result.speedup = result.throughput_median / baseline.throughput_median;
        result.flop_ratio = baseline.gflops / result.gflops;
      }
      results.push_back(std::move(result));
    }
  }
  return results;
}

}  // namespace bench
