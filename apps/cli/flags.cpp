#include <map>

#include <apps/cli/flags.h>

namespace cli {
namespace {

const std::map<std::string, std::string>& flags() {
  static const std::map<std::string, std::string> table = {
      {"AugmentOptions::auto_augment", "--auto-augment"},
      {"AugmentOptions::color_jitter", "--color-jitter"},
      {"AugmentOptions::erasing", "--erasing"},
      {"AugmentOptions::flip", "--flip"},
      {"AugmentOptions::max_ratio", "--ratio"},
      {"AugmentOptions::max_scale", "--scale"},
      {"AugmentOptions::min_ratio", "--ratio"},
      {"AugmentOptions::min_scale", "--scale"},
      {"AugmentOptions::padding", "--padding"},
      {"Job::precision", "--dtype"},
      {"LoadOptions::architecture", "--arch"},
      {"LoadOptions::image_size", "--image-size"},
      {"LoadOptions::max_patches", "--max-patches"},
      {"LoadOptions::num_classes", "--num-classes"},
      {"MixOptions::cutmix", "--cutmix"},
      {"MixOptions::mixup", "--mixup"},
      {"MixOptions::probability", "--mix-prob"},
      {"Records::scores", "--activation"},
      {"Selection::include", "vitome pull --include"},
      {"Settings::batch", "--batch"},
      {"Settings::clip", "--clip-grad"},
      {"Settings::freeze", "--freeze"},
      {"Settings::rate.peak", "--lr"},
      {"Settings::rate.warmup_epochs", "--warmup-epochs"},
      {"SplitOptions::share", "--val-split"},
      {"StateFile::path", "--resume"},
      {"Surroundings::overwrite", "--overwrite"},
      {"Surroundings::resume", "--resume"},
  };
  return table;
}

}  // namespace

std::string with_flags(const base::SettingError& error) {
  std::string message = error.what();
  for (const std::string& setting : error.settings()) {
    const auto flag = flags().find(setting);
    const std::size_t place = message.find(setting);
    if (flag != flags().end() && place != std::string::npos)
      message.insert(place + setting.size(), " (" + flag->second + ")");
  }
  return message;
}

}  // namespace cli
