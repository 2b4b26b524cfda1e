#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

#include <train/progress.h>
#include <vit/weights/state_dict.h>

namespace train {

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

/// Throws base::Error (a full disk); the checkpoint that was there before then stays.
void write_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint);

/// Throws base::Error that names the file and what is wrong with it.
Checkpoint read_checkpoint(const std::filesystem::path& file);

}  // namespace train
