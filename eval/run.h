#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <c10/core/Device.h>

#include <data/dataset.h>
#include <eval/records.h>
#include <tome/plan.h>
#include <vit/inference_model.h>
#include <vit/precision.h>

namespace eval {

/// What one of `count` processes does: of the batches that a single process would run, every
/// count-th. Batches are the same for any number of processes, and so are their logits.
struct Partition {
  int64_t rank = 0;
  int64_t count = 1;
};

struct Job {
  const data::Dataset& dataset;
  const Targets& targets;        ///< by entry of the data set
  std::vector<int64_t> entries;  ///< that are to be evaluated
  const vit::InferenceModel& model;
  std::vector<tome::Merging> mergings;  ///< by schedule
  vit::Precision precision;
  c10::Device device;
  int64_t batch = 32;
  int64_t workers = 2;
};

/// Entries of the job that belong to a partition and wait in `records`, whole batches of them.
std::vector<int64_t> waiting_entries(const Job& job, Partition partition, const Records& records);

/// Runs every batch that waits under all schedules, decoding each picture once. Calls `after_batch`
/// when the records of a batch are complete; ends early if that returns false. Pictures for which
/// the model computes NaN or infinity under any schedule are left out, as those that cannot be
/// read.
void run(const Job& job, Partition partition, Records& records,
         const std::function<bool()>& after_batch);

}  // namespace eval
