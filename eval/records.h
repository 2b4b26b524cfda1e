#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <vit/scores.h>

namespace eval {

/// What a picture shows: classes in ascending order, exactly one unless the data is multi-label.
using Targets = std::vector<std::vector<int64_t>>;

/// What has become of each of N pictures so far, under each schedule. Everything that is reported
/// is computed from these numbers, in the order of the pictures: it does not matter who computed
/// them when.
class Records {
 public:
  enum Status : uint8_t { waiting = 0, evaluated = 1, left_out = 2 };

  /// `scores`: of the model, for single-label data. Throws base::Error if the logits of multi-label
  /// data would take too much memory.
  Records(int64_t schedules, int64_t pictures, int64_t classes, bool multi_label,
          vit::ScoreKind scores = vit::ScoreKind::softmax);

  int64_t schedules() const { return schedules_; }
  int64_t pictures() const { return pictures_; }
  int64_t classes() const { return classes_; }
  bool multi_label() const { return multi_label_; }
  vit::ScoreKind scores() const { return scores_; }

  Status status(int64_t picture) const;
  /// Pictures that are not waiting.
  int64_t finished() const;
  /// Reasons, by picture.
  const std::map<int64_t, std::string>& failures() const { return failures_; }

  /// Notes logits [n, classes] under a schedule. Throws base::Error if they are not finite.
  void put(int64_t schedule, const std::vector<int64_t>& pictures, const at::Tensor& logits,
           const Targets& targets);
  /// Notes that pictures have been evaluated under all schedules.
  void finish(const std::vector<int64_t>& pictures);
  /// Notes why a picture is left out: it cannot be read, or the model has no answer to it.
  void fail(int64_t picture, std::string reason);

  // Of all pictures under a schedule.
  /// [N] int32
  at::Tensor prediction(int64_t schedule) const { return row("prediction", schedule); }
  /// [N] int32, of single-label data
  at::Tensor rank(int64_t schedule) const { return row("rank", schedule); }
  /// [N] float64
  at::Tensor loss(int64_t schedule) const { return row("loss", schedule); }
  /// [N] float64, of single-label data
  at::Tensor confidence(int64_t schedule) const { return row("confidence", schedule); }
  /// [N, classes] float32, of multi-label data
  at::Tensor logits(int64_t schedule) const { return row("logits", schedule); }

  /// All numbers by name. Zero for pictures that wait: records of different pictures can be added.
  const std::map<std::string, at::Tensor>& tensors() const { return tensors_; }

  /// Takes over numbers and failures that tensors() and failures() gave. Throws base::Error that
  /// begins with `where` if they do not fit.
  void assign(const std::map<std::string, at::Tensor>& tensors,
              std::map<int64_t, std::string> failures, const std::string& where);

 private:
  at::Tensor row(const char* name, int64_t schedule) const { return tensors_.at(name)[schedule]; }

  int64_t schedules_;
  int64_t pictures_;
  int64_t classes_;
  bool multi_label_;
  vit::ScoreKind scores_;
  std::map<std::string, at::Tensor> tensors_;
  std::map<int64_t, std::string> failures_;
};

}  // namespace eval
