#include "eval/records.h"

#include <ATen/ATen.h>

#include <base/error.h>
#include <eval/score.h>

namespace eval {

Records::Records(int64_t schedules, int64_t pictures, int64_t classes, bool multi_label,
                 vit::ScoreKind scores)
    : schedules_(schedules),
      pictures_(pictures),
      classes_(classes),
      multi_label_(multi_label),
      scores_(scores) {
  constexpr double kMostLogits = 4e9;
  const auto count = [](int64_t number) { return static_cast<double>(number); };
  if (multi_label && count(schedules) * count(pictures) * count(classes) > kMostLogits)
    base::fail("mAP needs the logits of all pictures: ", schedules, " schedules x ", pictures,
               " pictures x ", classes,
               " classes are too many; name fewer schedules, or a part of "
               "the data");
  tensors_["status"] = at::zeros({pictures}, at::kByte);
  tensors_["prediction"] = at::zeros({schedules, pictures}, at::kInt);
  tensors_["loss"] = at::zeros({schedules, pictures}, at::kDouble);
  if (multi_label) {
    tensors_["logits"] = at::zeros({schedules, pictures, classes}, at::kFloat);
  } else {
    tensors_["rank"] = at::zeros({schedules, pictures}, at::kInt);
    tensors_["confidence"] = at::zeros({schedules, pictures}, at::kDouble);
  }
}

Records::Status Records::status(int64_t picture) const {
  return static_cast<Status>(tensors_.at("status").const_data_ptr<uint8_t>()[picture]);
}

int64_t Records::finished() const {
  return tensors_.at("status").ne(waiting).sum().item<int64_t>();
}

void Records::put(int64_t schedule, const std::vector<int64_t>& pictures, const at::Tensor& logits,
                  const Targets& targets) {
  const at::Tensor places = at::tensor(pictures);
  const auto write = [&](const char* name, const at::Tensor& values) {
    row(name, schedule).index_copy_(0, places, values);
  };
  const auto count = static_cast<int64_t>(pictures.size());
  if (multi_label_) {
    at::Tensor labels = at::zeros({count, classes_});
    for (int64_t i = 0; i < count; ++i)
      for (int64_t label : targets[static_cast<std::size_t>(pictures[static_cast<std::size_t>(i)])])
        labels.data_ptr<float>()[i * classes_ + label] = 1;
    const MultiLabelScores scores = score_multi_label(logits, labels);
    write("prediction", scores.prediction);
    write("loss", scores.loss);
    write("logits", scores.logits);
    return;
  }
  std::vector<int64_t> labels;
  for (int64_t picture : pictures)
    labels.push_back(targets[static_cast<std::size_t>(picture)].front());
  const Scores scores = score(logits, at::tensor(labels), scores_);
  write("prediction", scores.prediction);
  write("rank", scores.rank);
  write("loss", scores.loss);
  write("confidence", scores.confidence);
}

void Records::finish(const std::vector<int64_t>& pictures) {
  for (int64_t picture : pictures) tensors_.at("status").data_ptr<uint8_t>()[picture] = evaluated;
}

void Records::fail(int64_t picture, std::string reason) {
  tensors_.at("status").data_ptr<uint8_t>()[picture] = left_out;
  failures_[picture] = std::move(reason);
}

void Records::assign(const std::map<std::string, at::Tensor>& tensors,
                     std::map<int64_t, std::string> failures, const std::string& where) {
  Records fresh(schedules_, pictures_, classes_, multi_label_, scores_);
  for (auto& [name, tensor] : fresh.tensors_) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.sizes() != tensor.sizes() ||
        found->second.scalar_type() != tensor.scalar_type())
      base::fail(where, ": '", name, "' is missing or has another shape");
    tensor.copy_(found->second);
  }
  const auto within = [&](const char* name, int64_t end) {
    const auto found = fresh.tensors_.find(name);
    return found == fresh.tensors_.end() ||
           (found->second >= 0).logical_and(found->second < end).all().item<bool>();
  };
  const auto failed = fresh.tensors_.at("status").eq(left_out).sum().item<int64_t>();
  bool sound = within("status", left_out + 1) && within("prediction", classes_) &&
               within("rank", classes_) && failed == static_cast<int64_t>(failures.size());
  for (const auto& [picture, reason] : failures)
    sound = sound && picture >= 0 && picture < pictures_ && fresh.status(picture) == left_out;
  if (!sound) base::fail(where, ": its numbers contradict each other; the file is damaged");
  fresh.failures_ = std::move(failures);
  *this = std::move(fresh);
}

}  // namespace eval
