#include <nlohmann/json.hpp>

#include <train/settings_json.h>

namespace train {

nlohmann::ordered_json to_json(const Settings& s) {
  return {{"epochs", s.epochs},
          {"batch", s.batch},
          {"accumulate", s.accumulate},
          {"seed", s.seed},
          {"dtype", s.bf16 ? "bf16" : "fp32"},
          {"lr", s.rate.peak},
          {"min_lr", s.rate.lowest},
          {"warmup_epochs", s.rate.warmup_epochs},
          {"beta1", s.adam.beta1},
          {"beta2", s.adam.beta2},
          {"weight_decay", s.weight_decay},
          {"layer_decay", s.layer_decay},
          {"clip_grad", s.clip},
          {"label_smoothing", s.smoothing},
          {"drop_path", s.drop_path},
          {"ema", s.ema},
          {"freeze", s.freeze},
          {"schedule", s.schedule},
          {"prop_attn", s.prop_attn},
          {"merged_positions", s.merged_positions},
          {"min_scale", s.augment.min_scale},
          {"max_scale", s.augment.max_scale},
          {"min_ratio", s.augment.min_ratio},
          {"max_ratio", s.augment.max_ratio},
          {"random_interpolation", s.augment.random_interpolation},
          {"padding", s.augment.padding},
          {"flip", s.augment.flip},
          {"color_jitter", s.augment.color_jitter},
          {"auto_augment", s.augment.auto_augment},
          {"erasing", s.augment.erasing},
          {"mixup", s.mix.mixup},
          {"cutmix", s.mix.cutmix},
          {"mix_probability", s.mix.probability},
          {"mix_switching", s.mix.switching},
          {"unmixed_epochs", s.unmixed_epochs}};
}

std::vector<std::string> differences(const nlohmann::ordered_json& before,
                                     const nlohmann::ordered_json& now) {
  std::vector<std::string> texts;
  for (const auto& [key, value] : now.items()) {
    const auto old = before.find(key);
    if (old == before.end() || *old != value)
      texts.push_back(key + " was " + (old == before.end() ? "not set" : old->dump()) + " and is " +
                      value.dump() + " now");
  }
  return texts;
}

}  // namespace train
