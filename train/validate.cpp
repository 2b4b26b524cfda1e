#include <algorithm>

#include <ATen/ATen.h>

#include <data/batches.h>
#include <eval/metrics.h>
#include <media/preprocess.h>
#include <train/loss.h>
#include <train/validate.h>

namespace train {
namespace {

// The answers to all pictures of multi-label data, each process filling in its share.
struct Answers {
  at::Tensor logits;  // [pictures, classes] float32
  at::Tensor seen;    // [pictures] float32: 1 where there is an answer
};

double mean_average_precision(const Answers& answers, const data::Dataset& dataset) {
  const auto* seen = answers.seen.const_data_ptr<float>();
  std::vector<int64_t> pictures;
  eval::Targets targets;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    if (seen[i] > 0) pictures.push_back(i);
    targets.push_back(dataset.entry(i).classes);
    std::sort(targets.back().begin(), targets.back().end());
  }
  return eval::precision(answers.logits, pictures, targets).mean;
}

}  // namespace

std::optional<Validation> validate(const vit::VisionTransformer& model,
                                   const data::Dataset& dataset, const ValidateOptions& options,
                                   distributed::Group& group) {
  std::vector<int64_t> mine;
  for (int64_t i = group.rank(); i < dataset.size(); i += group.size()) mine.push_back(i);
  const vit::PicturePreprocessing how = model->picture_preprocessing();
  const auto transform = [&](const at::Tensor& rgb, int64_t) {
    return media::preprocess(rgb, how);
  };
  data::BatchStream stream(dataset, mine, transform,
                           {.batch = options.batch, .workers = options.workers});

  const at::NoGradGuard no_gradient;
  const at::Tensor first = model->parameters().front();
  double pictures = 0, loss = 0, right = 0;
  Answers answers;
  if (dataset.multi_label())
    answers = {at::zeros({dataset.size(), static_cast<int64_t>(dataset.class_names().size())}),
               at::zeros({dataset.size()})};
  Validation result;
  bool stopped = false;
  while (!stopped) {
    const auto batch = stream.next();
    if (!batch) break;
    stopped = options.stopped();
    result.unreadable.insert(result.unreadable.end(), batch->unreadable.begin(),
                             batch->unreadable.end());
    result.errors.insert(result.errors.end(), batch->errors.begin(), batch->errors.end());
    if (!batch->pixels.defined()) continue;
    const at::Tensor logits = model->forward(batch->pixels.to(first.device(), first.scalar_type()))
                                  .to(at::kCPU, at::kFloat);
    const at::Tensor wanted = targets(dataset.classes_of(batch->entries), logits.size(1),
                                      /*smoothing=*/0, dataset.multi_label());
    pictures += static_cast<double>(batch->entries.size());
    loss += loss_sum(logits, wanted, dataset.multi_label()).item<double>();
    if (dataset.multi_label()) {
      const at::Tensor rows = at::tensor(batch->entries, at::kLong);
      answers.logits.index_copy_(0, rows, logits);
      answers.seen.index_fill_(0, rows, 1);
      continue;
    }
    right += wanted.gather(1, logits.argmax(1, /*keepdim=*/true)).sum().item<double>();
  }

  at::Tensor sums = at::tensor({pictures, loss, right, stopped ? 1.0 : 0.0}, at::kDouble);
  if (group.size() > 1) group.all_reduce_sum({sums});
  const auto* sum = sums.const_data_ptr<double>();
  if (sum[3] > 0) return std::nullopt;
  const double count = std::max(sum[0], 1.0);
  result.loss = sum[1] / count;
  result.score = sum[2] / count;
  result.pictures = static_cast<int64_t>(sum[0]);
  if (dataset.multi_label()) {
    if (group.size() > 1) group.all_reduce_sum({answers.logits, answers.seen});
    result.score = mean_average_precision(answers, dataset);
  }
  return result;
}

}  // namespace train
