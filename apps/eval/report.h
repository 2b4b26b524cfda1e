#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <apps/cli/schedules.h>
#include <eval/metrics.h>

namespace eval {

/// What was evaluated, and how.
struct Setup {
  std::string model;
  std::string data;
  std::string image_size;
  std::string dtype;
  std::string device;
  std::string scores;  ///< vit::score_kind_name()
  int64_t num_tokens = 0;
  int64_t batch = 0;
  bool prop_attn = true;
  std::string merged_positions = "mean";  ///< in models with rotary positions
  int64_t asked = 0;                      ///< pictures that were to be evaluated
  bool complete = true;
  std::vector<std::string> class_names;                       ///< of the model
  std::vector<std::pair<std::string, std::string>> failures;  ///< pictures and reasons
};

/// One schedule and what became of it.
struct Result {
  cli::Setting setting;
  tome::Merging merging;
  Figures figures;
};

// The first result is the one without merging; there is one at least.

/// For the terminal; with the accuracy of each class where they are few.
std::string table(const Setup& setup, const std::vector<Result>& results);
/// For a document: the same with the accuracy of every class.
std::string markdown(const Setup& setup, const std::vector<Result>& results);
/// A line for each schedule.
std::string csv(const Setup& setup, const std::vector<Result>& results);
/// Everything.
nlohmann::ordered_json json(const Setup& setup, const std::vector<Result>& results);

}  // namespace eval
