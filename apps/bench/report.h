#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <apps/bench/measure.h>

namespace bench {

/// Figures of one setting: a schedule in a dtype.
struct Result {
  std::string schedule;      ///< as tome::Schedule::parse reads it
  std::optional<int64_t> r;  ///< of a constant schedule
  std::string dtype;
  bool baseline = false;  ///< r=0 of its dtype, what the speed-up refers to

  std::vector<int64_t> tokens;  ///< that enter the MLP of each layer
  double merge_ratio = 0;       ///< share of the model's tokens that are merged away in all
  double gflops = 0;            ///< of one input

  int64_t batches = 0;           ///< that were timed
  double throughput_median = 0;  ///< inputs per second, over the rounds
  double throughput_best = 0;
  double throughput_min = 0;
  double spread = 0;       ///< distance of the quartiles of the rounds' throughput over its median
  double latency_p50 = 0;  ///< milliseconds of a batch
  double latency_p95 = 0;

  double speedup = 1;         ///< throughput over that of the baseline, medians
  double flop_ratio = 1;      ///< GFLOPs of the baseline over its own: the speed-up there could be
  double top1_agreement = 1;  ///< share of the inputs with the baseline's top-1
  int64_t not_finite = 0;  ///< inputs with logits that are NaN or infinite, which agree with none
  std::optional<double> top1;  ///< accuracy, where labels are known

  /// Share of the FLOP ratio that became speed-up.
  double realised() const { return speedup / flop_ratio; }
};

/// What the figures were measured on.
struct Setup {
  std::string model;
  std::string image_size;
  std::string inputs;  ///< "random", or how many pictures of which folder
  std::string device;
  int64_t batch = 0;
  int64_t threads = 0;
  int64_t num_tokens = 0;
  double seconds = 0;       ///< measuring time of a setting; of each round, if those are on request
  bool on_request = false;  ///< whether rounds wait for lines of standard input
  bool training = false;    ///< whether training steps were timed
};

/// Throughput and latency of `timing` in batches of `batch`.
void set_timing(Result& result, const Timing& timing, int64_t batch);

/// "r=13", or the schedule.
std::string label(const Result& result);

std::string table(const Setup& setup, const std::vector<Result>& results);
std::string csv(const Setup& setup, const std::vector<Result>& results);
nlohmann::ordered_json json(const Setup& setup, const std::vector<Result>& results);

}  // namespace bench
