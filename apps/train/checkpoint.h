#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include <nlohmann/json.hpp>

#include <vit/weights/state_dict.h>

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

nlohmann::ordered_json to_json(const EpochResult& result);
nlohmann::ordered_json to_json(const Progress& progress);

/// Throws nlohmann::json::exception for anything but a document of to_json().
Progress progress_of(const nlohmann::ordered_json& json);

/// A checkpoint is one file, so that it is there whole or not at all.
struct Checkpoint {
  vit::StateDict tensors;
  Progress progress;
  nlohmann::ordered_json settings;  ///< of to_json(Settings)
  nlohmann::ordered_json data;      ///< what the run learns from
};

/// Throws vit::Error (a full disk); the checkpoint that was there before then stays.
void write_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint);

/// Throws vit::Error that names the file and what is wrong with it.
Checkpoint read_checkpoint(const std::filesystem::path& file);

}  // namespace train
