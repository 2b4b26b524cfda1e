#include "eval/run.h"

#include <algorithm>
#include <utility>

#include <ATen/core/Tensor.h>

#include <data/batches.h>
#include <media/preprocess.h>

namespace eval {
namespace {

constexpr int64_t kPrefetched = 3;  // batches

bool is_waiting(const Records& records, int64_t entry) {
  return records.status(entry) == Records::waiting;
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
    if (batch->pixels.defined()) {
      const at::Tensor pixels = batch->pixels.to(job.device, job.precision.dtype);
      for (std::size_t i = 0; i < job.mergings.size(); ++i) {
        model.set_reducer(job.mergings[i].reducer);
        records.put(static_cast<int64_t>(i), batch->entries, model.forward(pixels), job.targets);
      }
      records.finish(batch->entries);
    }
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
