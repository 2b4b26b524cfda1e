#pragma once

#include <c10/core/Device.h>

#include <apps/cli/options.h>
#include <train/model_setup.h>
#include <train/settings.h>

namespace train {

/// The command line of `vitome train`.
cli::Options options();

/// What a model from random weights is to differ in from its architecture.
ModelChanges model_changes(const cli::Arguments& arguments);

/// What it says about learning; the defaults of fine-tuning differ from those of training from
/// random weights. Throws cli::UsageError.
Settings settings_of(const cli::Arguments& arguments, bool fine_tunes, c10::Device device);

}  // namespace train
