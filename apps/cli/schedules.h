#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <apps/cli/options.h>
#include <tome/plan.h>
#include <tome/schedule.h>
#include <vit/config.h>

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

/// What each setting makes of a model of that config, merging by these rules but for `r`.
std::vector<tome::Merging> mergings(const vit::VitConfig& config,
                                    const std::vector<Setting>& settings, tome::Options rules);

}  // namespace cli
