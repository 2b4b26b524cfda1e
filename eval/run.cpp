#include "eval/run.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include <data/batches.h>
#include <media/preprocess.h>
#include <vit/scores.h>

namespace eval {
namespace {

constexpr int64_t kPrefetched = 3;  // batches

bool is_waiting(const Records& records, int64_t entry) {
  return records.status(entry) == Records::waiting;
}

// Runs a batch under all schedules and notes what comes of it; returns the entries of pictures for
// which the model computes NaN or infinity under any of them, and notes nothing of those.
std::vector<int64_t> evaluate(const Job& job, vit::InferenceModel& model, const data::Batch& batch,
                              Records& records) {
  const auto input = [&](const at::Tensor& pixels) {
    return pixels.to(job.device, job.precision.dtype);
  };
  const at::Tensor pixels = batch.pixels.defined() ? input(batch.pixels) : at::Tensor();
  std::vector<at::Tensor> pictures;
  for (const at::Tensor& picture : batch.pictures) pictures.push_back(input(picture));
  std::vector<at::Tensor> logits;
  at::Tensor finite = at::ones({static_cast<int64_t>(batch.entries.size())}, at::kBool);
  for (const tome::Merging& merging : job.mergings) {
    model.set_reducer(merging.reducer);
    logits.push_back(
        (pixels.defined() ? model.forward(pixels) : model.forward(pictures)).to(at::kCPU));
    finite.logical_and_(vit::finite_inputs(logits.back()));
  }
  std::vector<int64_t> good, bad;
  for (std::size_t i = 0; i < batch.entries.size(); ++i)
    (finite.const_data_ptr<bool>()[i] ? good : bad).push_back(batch.entries[i]);
  const at::Tensor rows = finite.nonzero().squeeze(1);
  for (std::size_t i = 0; i < logits.size() && !good.empty(); ++i)
    records.put(static_cast<int64_t>(i), good,
                bad.empty() ? logits[i] : logits[i].index_select(0, rows), job.targets);
  records.finish(good);
  return bad;
}

}  // namespace

std::vector<int64_t> waiting_entries(const Job& job, Partition partition, const Records& records) {
  std::vector<int64_t> waiting;
  const auto total = static_cast<int64_t>(job.entries.size());
  for (int64_t begin = partition.rank * job.batch; begin < total;
       begin += partition.count * job.batch) {
    const auto first = job.entries.begin() + begin;
    const auto last = job.entries.begin() + std::min(total, begin + job.batch);
    if (std::any_of(first, last, [&](int64_t entry) { return is_waiting(records, entry); }))
      waiting.insert(waiting.end(), first, last);
  }
  return waiting;
}

void run(const Job& job, Partition partition, Records& records,
         const std::function<bool()>& after_batch) {
  const std::vector<int64_t> entries = waiting_entries(job, partition, records);
  const vit::PicturePreprocessing how = job.model.picture_preprocessing();
  vit::InferenceModel model = job.model;
  data::BatchStream stream(
      job.dataset, entries,
      [&how](const at::Tensor& rgb, int64_t) { return media::preprocess(rgb, how); },
      {job.batch, job.workers, kPrefetched});
  auto begin = entries.begin();
  while (const std::optional<data::Batch> batch = stream.next()) {
    const auto end = begin + std::min<std::ptrdiff_t>(job.batch, entries.end() - begin);
    if (!batch->entries.empty())
      for (int64_t entry : evaluate(job, model, *batch, records))
        records.fail(entry, job.dataset.entry(entry).name +
                                ": the model computes logits that are not finite; try another "
                                "dtype, and look at its weights");
    // Errors come in the order of the entries that are missing.
    auto readable = batch->entries.begin();
    auto error = batch->errors.begin();
    for (; begin != end; ++begin) {
      if (readable != batch->entries.end() && *readable == *begin)
        ++readable;
      else
        records.fail(*begin, *error++);
    }
    if (!after_batch()) return;
  }
}

}  // namespace eval
