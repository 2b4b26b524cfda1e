#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace train {

/// What one epoch came to.
struct EpochResult {
  int64_t epoch = 0;  ///< from 1
  double loss = 0;    ///< mean over the pictures learnt from
  double rate = 0;    ///< learning rate at its end
  double seconds = 0;
  int64_t pictures = 0;  ///< learnt from
  int64_t unreadable = 0;
  double validation_loss = 0;  ///< mean
  double score = 0;            ///< of the validation, 0 … 1
};

/// Where a run is, apart from its tensors. Random numbers need no state: they are drawn from
/// seeds of the step.
struct Progress {
  int64_t epoch = 0;          ///< whole ones behind it
  int64_t step_in_epoch = 0;  ///< steps of the next one behind it
  int64_t step = 0;           ///< all steps
  EpochResult current;        ///< sums so far of the epoch under way; loss not yet divided
  std::vector<EpochResult> history;
  int64_t best_epoch = 0;  ///< 0: none yet
  double best_score = 0;
};

/// All of it as a JSON object: "epoch", "step", "best_epoch", "best_score", "history" and so on.
std::string json_text(const Progress& progress);

}  // namespace train
