#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <data/dataset.h>
#include <distributed/group.h>
#include <vit/vision_transformer.h>

namespace train {

struct Validation {
  double loss = 0;       ///< mean over the pictures
  double score = 0;      ///< share of pictures whose likeliest class is right; with several labels
                         ///< for each, the mean average precision
  int64_t pictures = 0;  ///< that could be read
  // Of this process's share:
  std::vector<int64_t> unreadable;  ///< entries that could not be read
  std::vector<std::string> errors;  ///< and for each of these why, naming it
};

struct ValidateOptions {
  int64_t batch = 128;
  int64_t workers = 2;
  std::function<bool()> stopped = [] { return false; };  ///< asked now and then
};

/// Runs a model over a data set, each process over its share; all get the same figures. Nothing
/// where it was stopped.
std::optional<Validation> validate(const vit::VisionTransformer& model,
                                   const data::Dataset& dataset, const ValidateOptions& options,
                                   distributed::Group& group);

}  // namespace train
