#include "eval/metrics.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

namespace eval {
namespace {

constexpr int64_t kTop = 5;

// Pictures that were evaluated, in their order.
std::vector<int64_t> evaluated(const Records& records) {
  std::vector<int64_t> pictures;
  for (int64_t i = 0; i < records.pictures(); ++i)
    if (records.status(i) == Records::evaluated) pictures.push_back(i);
  return pictures;
}

// What a schedule makes of each picture; the tensors own what the pointers show.
struct Row {
  explicit Row(const Records& records, int64_t schedule)
      : prediction_tensor(records.prediction(schedule)), loss_tensor(records.loss(schedule)) {
    prediction = prediction_tensor.const_data_ptr<int32_t>();
    loss = loss_tensor.const_data_ptr<double>();
    if (records.multi_label()) return;
    rank_tensor = records.rank(schedule);
    confidence_tensor = records.confidence(schedule);
    rank = rank_tensor.const_data_ptr<int32_t>();
    confidence = confidence_tensor.const_data_ptr<double>();
  }

  at::Tensor prediction_tensor, loss_tensor, rank_tensor, confidence_tensor;
  const int32_t* prediction = nullptr;
  const int32_t* rank = nullptr;
  const double* loss = nullptr;
  const double* confidence = nullptr;
};

void calibrate(Accuracy& accuracy, const Row& row, const std::vector<int64_t>& pictures) {
  accuracy.bins.resize(kCalibrationBins);
  for (int64_t i : pictures) {
    // Bins hold their upper end.
    const auto place = static_cast<int64_t>(std::ceil(row.confidence[i] * kCalibrationBins)) - 1;
    Bin& bin =
        accuracy
            .bins[static_cast<std::size_t>(std::clamp<int64_t>(place, 0, kCalibrationBins - 1))];
    ++bin.count;
    bin.confidence += row.confidence[i];
    bin.accuracy += row.rank[i] == 0;
  }
  for (Bin& bin : accuracy.bins) {
    if (bin.count == 0) continue;
    accuracy.ece += std::abs(bin.accuracy - bin.confidence) / static_cast<double>(pictures.size());
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
}

Accuracy accuracy_of(const Row& row, const Row& first, const std::vector<int64_t>& pictures,
                     const Targets& targets, int64_t classes) {
  Accuracy accuracy;
  accuracy.classes.resize(static_cast<std::size_t>(classes));
  for (int64_t i : pictures) {
    const int64_t label = targets[static_cast<std::size_t>(i)].front();
    const bool correct = row.rank[i] == 0;
    accuracy.top1 += correct;
    accuracy.top5 += row.rank[i] < kTop;
    accuracy.lost += first.rank[i] == 0 && !correct;
    accuracy.gained += first.rank[i] != 0 && correct;
    ++accuracy.classes[static_cast<std::size_t>(label)].support;
    accuracy.classes[static_cast<std::size_t>(label)].correct += correct;
    ++accuracy.classes[static_cast<std::size_t>(row.prediction[i])].predicted;
    ++accuracy.confusion[{label, row.prediction[i]}];
  }
  calibrate(accuracy, row, pictures);
  return accuracy;
}

}  // namespace

std::vector<Figures> figures(const Records& records, const Targets& targets) {
  const std::vector<int64_t> pictures = evaluated(records);
  const Row first(records, 0);
  std::vector<Figures> all;
  for (int64_t schedule = 0; schedule < records.schedules(); ++schedule) {
    const Row row(records, schedule);
    Figures figures;
    figures.pictures = static_cast<int64_t>(pictures.size());
    int64_t same = 0;
    for (int64_t i : pictures) {
      figures.loss += row.loss[i];
      same += row.prediction[i] == first.prediction[i];
    }
    figures.loss /= static_cast<double>(pictures.size());
    figures.agreement = static_cast<double>(same) / static_cast<double>(pictures.size());
    if (records.multi_label()) {
      figures.precision = precision(records.logits(schedule), pictures, targets);
      if (!all.empty()) figures.decline = mean_decline(*all.front().precision, *figures.precision);
    } else {
      figures.accuracy = accuracy_of(row, first, pictures, targets, records.classes());
      const int64_t lost = figures.accuracy->lost, gained = figures.accuracy->gained;
      figures.decline = {static_cast<double>(lost - gained) / static_cast<double>(figures.pictures),
                         paired_interval(lost, gained, figures.pictures)};
    }
    all.push_back(std::move(figures));
  }
  return all;
}

Interval paired_interval(int64_t lost, int64_t gained, int64_t pictures) {
  const double down = static_cast<double>(lost) + 0.5;
  const double up = static_cast<double>(gained) + 0.5;
  const double count = static_cast<double>(pictures) + 2;
  const double difference = down - up;
  const double deviation = std::sqrt(down + up - difference * difference / count);
  return {std::max(-1.0, (difference - kNormal95 * deviation) / count),
          std::min(1.0, (difference + kNormal95 * deviation) / count)};
}

}  // namespace eval
