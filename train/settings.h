#pragma once

#include <cstdint>
#include <string>

#include <train/adamw.h>
#include <train/augment.h>
#include <train/learning_rate.h>
#include <train/mix.h>

namespace train {

/// Everything that decides what a run learns; with the same settings, data and threads the result
/// is the same.
struct Settings {
  int64_t epochs = 100;
  int64_t batch = 128;     ///< pictures for each step of the optimizer, of all processes together
  int64_t accumulate = 1;  ///< parts that a batch goes through the model in, one after the other
  uint64_t seed = 0;
  bool bf16 = false;  ///< matrix products in bfloat16 (autocast), weights in float32

  LearningRate rate;
  AdamW::Options adam;
  double weight_decay = 0.05;
  double layer_decay = 1;
  double clip = 1;  ///< largest norm of the gradient; 0: any
  double smoothing = 0.1;
  double drop_path = 0;
  double ema = 0;              ///< decay of the average of the weights; 0: none
  std::string freeze = "0";    ///< blocks, or "backbone"
  std::string schedule = "0";  ///< of token merging, as tome::Schedule::parse() reads it
  bool prop_attn = true;
  std::string merged_positions = "mean";  ///< of models with rotary positions: tome::RotaryRule

  AugmentOptions augment;
  MixOptions mix;
  int64_t unmixed_epochs = 0;  ///< at the end without mixing
};

}  // namespace train
