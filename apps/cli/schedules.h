#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <apps/cli/options.h>
#include <tome/schedule.h>
#include <vit/config.h>
#include <vit/token_reducer.h>
#include <vit/vision_transformer.h>

namespace cli {

/// A schedule among several that are compared.
struct Setting {
  tome::Schedule schedule;
  std::optional<int64_t> r;  ///< of a constant schedule

  /// "r=13", or the schedule.
  std::string label() const;
};

/// --r N,N,… and --schedules SPEC;SPEC.
void add_schedule_options(Options& options);

/// r=0, then what the options ask for, each once; nothing beside r=0 without them. Throws
/// UsageError.
std::vector<Setting> asked_settings(const Arguments& arguments);

/// The same; without the options half of the recommended r, and that.
std::vector<Setting> settings_for(const Arguments& arguments, const vit::VitConfig& config);

/// What a setting makes of a model.
struct Merging {
  std::shared_ptr<const vit::TokenReducer> reducer;  ///< null where nothing merges
  std::vector<int64_t> tokens;                       ///< that enter the MLP of each layer
  double merge_ratio = 0;  ///< share of the model's tokens that are merged away in all
  double gflops = 0;       ///< of one input
};

/// For each setting; the model keeps the reducer that it has.
std::vector<Merging> mergings(vit::VisionTransformer& model, const std::vector<Setting>& settings,
                              bool prop_attn);

}  // namespace cli
