#include "apps/cli/schedules.h"

#include <algorithm>
#include <utility>

#include <apps/cli/recommended_r.h>
#include <apps/cli/run_options.h>
#include <base/text.h>

namespace cli {
namespace {

void add(std::vector<Setting>& settings, Setting setting) {
  const auto same = [&](const Setting& other) {
    return other.schedule.to_string() == setting.schedule.to_string();
  };
  if (std::none_of(settings.begin(), settings.end(), same)) settings.push_back(std::move(setting));
}

}  // namespace

std::string Setting::label() const { return r ? "r=" + std::to_string(*r) : schedule.to_string(); }

void add_schedule_options(Options& options) {
  options
      .value("r", "N,N,...",
             "tokens merged in every layer (default: 0, the r that inspect recommends, half of it)")
      .value("schedules", "SPEC;SPEC",
             "other schedules, as --schedule of classify reads them: '13,-1.0;[8,0,8,4];keep=0.9'");
}

std::vector<Setting> asked_settings(const Arguments& arguments) {
  std::vector<Setting> settings = {{tome::Schedule(0), 0}};
  if (arguments.has("r"))
    for (int64_t r : arguments.integers("r", 0, kMaxMerged)) add(settings, {tome::Schedule(r), r});
  if (arguments.has("schedules"))
    for (const std::string& text : base::split(arguments.text("schedules"), ';'))
      add(settings, {parse_schedule("schedules", text), base::parse_integer(text)});
  return settings;
}

std::vector<Setting> settings_for(const Arguments& arguments, const vit::VitConfig& config) {
  std::vector<Setting> settings = asked_settings(arguments);
  if (arguments.has("r") || arguments.has("schedules")) return settings;
  const int64_t most = recommended_r(config);
  for (int64_t r : {most / 2, most}) add(settings, {tome::Schedule(r), r});
  return settings;
}

std::vector<tome::Merging> mergings(const vit::VitConfig& config,
                                    const std::vector<Setting>& settings, tome::Options rules) {
  std::vector<tome::Merging> mergings;
  for (const Setting& setting : settings) {
    rules.r = setting.schedule;
    mergings.push_back(tome::plan(config, rules));
  }
  return mergings;
}

}  // namespace cli
