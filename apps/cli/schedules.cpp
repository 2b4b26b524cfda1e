#include "apps/cli/schedules.h"

#include <algorithm>
#include <utility>

#include <apps/cli/recommended_r.h>
#include <apps/cli/run_options.h>
#include <apps/cli/text.h>
#include <tome/tome.h>
#include <vit/flops.h>

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
    for (const std::string& text : split(arguments.text("schedules"), ';'))
      add(settings, {parse_schedule("schedules", text), parse_integer(text)});
  return settings;
}

std::vector<Setting> settings_for(const Arguments& arguments, const vit::VitConfig& config) {
  std::vector<Setting> settings = asked_settings(arguments);
  if (arguments.has("r") || arguments.has("schedules")) return settings;
  const int64_t most = recommended_r(config);
  for (int64_t r : {most / 2, most}) add(settings, {tome::Schedule(r), r});
  return settings;
}

std::vector<Merging> mergings(vit::VisionTransformer& model, const std::vector<Setting>& settings,
                              bool prop_attn) {
  const auto reducer = model->reducer();
  const vit::VitConfig& config = model->config();
  const auto all = static_cast<double>(config.num_tokens());
  std::vector<Merging> mergings;
  for (const Setting& setting : settings) {
    tome::apply(model, {.r = setting.schedule, .prop_attn = prop_attn});
    Merging merging;
    merging.reducer = model->reducer();
    merging.tokens = vit::tokens_per_layer(config, merging.reducer.get());
    merging.merge_ratio = (all - static_cast<double>(merging.tokens.back())) / all;
    merging.gflops = vit::gflops(config, merging.reducer.get());
    mergings.push_back(std::move(merging));
  }
  model->set_reducer(reducer);
  return mergings;
}

}  // namespace cli
